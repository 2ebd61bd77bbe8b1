"""Machine code for NVIDIA GPUs in the library, built with no GPU, driver or CUDA runtime at hand.

TVM turns its CUDA C++ source into machine code only where it can load its CUDA runtime, which
needs a driver. Elsewhere it packs the source, and the device compiles it, if it has a compiler.
So the order is changed, on every machine alike: the code generator always leaves the source in
its module, and the source is compiled when the modules are packed into the library.

    compiler = find_compiler(code)              # before the build, which takes long
    with kernels_as_source():
        executable = tvm.compile(mod, target)
    executable.export_library(..., fpack_imports=pack_imports(compiler, code))
    check_library(path, code)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from .cuda_compiler import Compiler, find_compiler
from .cuda_image import architectures
from .library_bin import LibraryBin, find_cuda_modules

__all__ = ["Compiler", "check_library", "find_compiler", "kernels_as_source", "pack_imports"]

_SWITCH = "TVM_COMPILE_FORCE_FALLBACK"


@contextmanager
def kernels_as_source() -> Iterator[None]:
    """Let TVM's code generator keep CUDA source, where there is a driver too."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = before


def pack_imports(compiler: Compiler, code: tuple[str, ...]) -> Callable[..., str]:
    """Return the argument ``fpack_imports`` of TVM's ``export_library``.

    It does what TVM does without it, and compiles the CUDA source on the way.

    Parameters
    ----------
    compiler : Compiler
        As `find_compiler` returns it.
    code : tuple of str
        What to embed: ``("sm_87",)``, or ``("sm_75", "compute_75")`` for every GPU since.
    """

    def pack(module: Any, system_lib: bool, symbol_prefix: str, folder: str) -> str:
        from tvm_ffi import get_global_func

        packed = get_global_func("runtime.ModulePackImportsToTensor")(module).numpy().tobytes()
        blob = _compiled(packed, compiler, code)
        host_target = _host_module(module).get_function("_get_target_string")()
        path = str(Path(folder, f"{symbol_prefix}imports.o"))
        make_object = get_global_func("codegen.codegen_blob")
        make_object(blob, system_lib, host_target, symbol_prefix).write_to_file(path)
        return path

    return pack


def _compiled(packed: bytes, compiler: Compiler, code: tuple[str, ...]) -> bytes:
    """Return packed modules with machine code in the place of CUDA source."""
    library_bin = LibraryBin.parse(packed)
    modules = list(library_bin.modules)
    for place, module in library_bin.cuda_modules().items():
        if module.format != "cuda":
            raise RuntimeError(f"TVM packed {module.format} instead of CUDA source")
        form, binary = compiler.compile(module.code.decode(), code)
        modules[place] = (modules[place][0], replace(module, format=form, code=binary).serialize())
    return replace(library_bin, modules=tuple(modules)).serialize()


def _host_module(module: Any) -> Any:
    """Return the first module of LLVM's among a module and its imports."""
    if module.kind == "llvm":
        return module
    for imported in module.imports:
        found = _host_module(imported)
        if found is not None:
            return found
    return None


def check_library(path: str | Path, code: tuple[str, ...]) -> tuple[str, ...]:
    """Make sure that a linked library holds just the GPU code that was asked for.

    Parameters
    ----------
    path : str or Path
        A library for any machine; it is read, not loaded.
    code : tuple of str

    Returns
    -------
    tuple of str
        The names of the kernels.

    Raises
    ------
    RuntimeError
        If there is no GPU code, if it is source, or if it is for another architecture.
    """
    modules = find_cuda_modules(Path(path).read_bytes())
    if not modules:
        raise RuntimeError(f"{path} holds no CUDA kernels")
    # An architecture's variant (sm_90a) is not written into its code, only its number is.
    wanted = sorted(one.rstrip("af") for one in code)
    for module in modules:
        try:
            held = architectures(module.code)
        except ValueError as error:
            raise RuntimeError(f"{path} holds {module.format!r} for CUDA: {error}") from error
        if sorted(held) != wanted:
            raise RuntimeError(f"{path} holds GPU code for {held} instead of {code}")
    return tuple(name for module in modules for name in module.kernels)
