"""Machine code for NVIDIA GPUs, made with no GPU and no driver at hand.

TVM would compile its CUDA C++ where it finds a driver, and for that GPU only. Here its code
generator always leaves the source, and NVIDIA's compiler makes of it what was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tvm
from tvm import tirx
from tvm.s_tir.stmt import SBlockRealize
from tvm.tirx import PrimFunc
from tvm.tirx.build import codegen_build, split_host_device_mods

from tvmlcnn.runtime.elf import read_elf
from tvmlcnn.schedules.rule import RESIDENT, SPREAD
from tvmlcnn.targets import Device

from .async_copies import copied_asynchronously, definitions
from .cuda_compiler import Compiler, find_compiler
from .cuda_image import architectures
from .early_launches import launched_early
from .launch_bounds import with_resident
from .launches import GpuFunction, gpu_function
from .packed_codes import packing, with_packed_codes
from .tap_products import products_of_taps
from .tensor_cores import products_of_steps
from .vectors_of_bytes import with_vectors_of_bytes

__all__ = [
    "CUDA_SECTION",
    "Compiler",
    "check_library",
    "compile_kernels",
    "cuda_source",
    "find_compiler",
]

CUDA_SECTION = ".tvmlcnn.cuda"
"""Of the file: a cubin or a fatbin."""
_SWITCH = "TVM_COMPILE_FORCE_FALLBACK"


def _log1p(call: tvm.ir.Call) -> tvm.ir.Call:
    """Return the call of CUDA's function, which TVM has no rule for; softplus needs it."""
    name = "log1p" if str(call.ty.dtype) == "float64" else "log1pf"
    return tirx.call_pure_extern(call.ty, name, *call.args)


tirx.op.register_intrin_lowering("tirx.log1p", target="cuda", f=_log1p, level=99)


def compile_kernels(
    kernels: tvm.IRModule, device: Device, compiler: Compiler
) -> tuple[dict[str, GpuFunction], bytes]:
    """Compile scheduled kernels.

    Parameters
    ----------
    kernels : tvm.IRModule
    device : Device
    compiler : Compiler
        As `find_compiler` returns it.

    Returns
    -------
    functions : dict of str to GpuFunction
        What each kernel of the module launches.
    image : bytes
        A cubin or a fatbin with what is launched.
    """
    functions, source = cuda_source(kernels, device)
    return functions, compiler.compile(source, device.gpu_code)[1]


def cuda_source(kernels: tvm.IRModule, device: Device) -> tuple[dict[str, GpuFunction], str]:
    """Generate the CUDA C++ of scheduled kernels, and say what each of them launches."""
    target = tvm.target.Target(device.tvm)
    pipeline, _, finalize = tirx.get_default_tir_pipeline(target)
    lowered = pipeline(tirx.transform.BindTarget(target)(kernels))
    host, device_modules = split_host_device_mods(lowered)
    with _kept_as_source():
        sources = [
            codegen_build(
                finalize()(with_packed_codes(copied_asynchronously(module))), device_target
            ).inspect_source("cuda")
            for device_target, module in device_modules.items()
        ]
    spread = _annotated(kernels, SPREAD)
    functions = {
        variable.name_hint: gpu_function(f, variable.name_hint in spread)
        for variable, f in host.functions.items()
    }
    # Of a function's first launch; others add up what it has summed, in few registers.
    resident = {f"{name}_kernel": blocks for name, blocks in _annotated(kernels, RESIDENT).items()}
    source = "\n".join(with_resident(one, resident) for one in sources)
    source = with_vectors_of_bytes(source)
    functions_called = [
        called(source) for called in (definitions, products_of_steps, products_of_taps, packing)
    ]
    return functions, "".join(functions_called) + launched_early(source)


def _annotated(kernels: tvm.IRModule, key: str) -> dict[str, int]:
    """Return what schedules say of their functions' roots, by the functions' names."""
    roots = {
        variable.name_hint: function.body.block
        for variable, function in kernels.functions.items()
        if isinstance(function, PrimFunc) and isinstance(function.body, SBlockRealize)
    }
    return {
        name: int(root.annotations[key]) for name, root in roots.items() if key in root.annotations
    }


@contextmanager
def _kept_as_source() -> Iterator[None]:
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


def check_library(path: str | Path, code: tuple[str, ...]) -> None:
    """Make sure that a linked library holds just the GPU code that was asked for.

    Parameters
    ----------
    path : str or Path
        A library for any machine; it is read, not loaded.
    code : tuple of str

    Raises
    ------
    RuntimeError
        If there is no GPU code, if it is source, or if it is for another architecture.
    """
    elf = read_elf(path)
    if CUDA_SECTION not in elf.sections:
        raise RuntimeError(f"{path} holds no CUDA kernels")
    # An architecture's variant (sm_90a) is not written into its code, only its number is.
    wanted = sorted(one.rstrip("af") for one in code)
    try:
        held = architectures(elf.read(CUDA_SECTION))
    except ValueError as error:
        raise RuntimeError(f"{path} holds something else for CUDA: {error}") from error
    if sorted(held) != wanted:
        raise RuntimeError(f"{path} holds GPU code for {held} instead of {code}")
