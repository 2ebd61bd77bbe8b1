"""TVM's runtime for 32-bit ARM, cross-built from the sources that its wheels carry.

There is no wheel of apache-tvm for armv7l. The Python files of one for aarch64 serve as they
are; its libraries and the Cython core are built again from the sources beside them, without the
compiler, the client of RPC, and the caches of language models. ``import tvm_ffi`` and
``libtvm_runtime.so`` work, ``import tvm`` does not (it wants ml_dtypes, which has no such wheel
either).

The folders ``tvm`` and ``tvm_ffi`` that come out are what a Raspberry Pi 2 needs, beside
``typing_extensions`` and Debian's ``python3-numpy``, where its Debian is the release of the host.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from foreign_packages import adopt_debian, install_wheels, run, say

PACKAGES = ("libpython3-dev",)
COMPILER = "arm-linux-gnueabihf-g++"
TRIPLET = "arm-linux-gnueabihf"

# -O1: kernels come from the compiled module, and -O2 takes 40 % longer to build.
FLAGS = ("-std=c++17", "-O1", "-w", "-Wno-psabi", "-fPIC", "-shared", "-fvisibility=hidden")
LIBRARIES = ("-Wl,-z,defs", "-lpthread", "-ldl")

SUPPORT = Path(__file__).with_suffix(".h")
RPC_SERVER = Path(__file__).with_name("tvm_rpc_armv7l.h")
SUPPORTED = (
    *(f"tvm/include/tvm/support/{name}.h" for name in ("io", "serializer", "cuda/nvtx")),
    *(
        f"tvm/src/support/{name}.h"
        for name in ("arena", "base64", "bytes_io", "ring_buffer", "utils")
    ),
)
"""Headers that the sources include and the wheel lacks; SUPPORT stands in for all of them."""

FFI_SOURCES = ("tvm_ffi/src/ffi/*.cc", "tvm_ffi/src/ffi/extra/*.cc")
RUNTIME_SOURCES = (
    "tvm/src/runtime/*.cc",
    "tvm/src/runtime/memory/*.cc",
    *(f"tvm/src/runtime/vm/{name}.cc" for name in ("builtin", "bytecode", "executable", "vm")),
    *(f"tvm/src/runtime/rpc/rpc_{name}.cc" for name in ("endpoint", "local_session", "module")),
    "tvm/src/runtime/rpc/rpc_session.cc",
)
# Half-precision conversions come from libgcc here; there is no Windows.
LEFT_OUT = ("backtrace_win.cc", "builtin_fp16.cc")

HEADER_SIZE = ("== 16,", "== 2 * sizeof(void*),")
"""What an assertion of tvm_ffi says, and what it means: two pointers, as malloc aligns them."""


def install(site: Path, sysroot: Path, python: str, scratch: Path, tvm: tuple[str, ...]) -> None:
    """Put ``tvm``, ``tvm_ffi``, numpy and PIL for armv7l in ``site``.

    Parameters
    ----------
    site : Path
        The ``site-packages`` to fill.
    sysroot : Path
        Where PACKAGES are unpacked.
    python : str
        The emulated interpreter (``"python3.11"``).
    scratch : Path
        A folder for what is needed only now.
    tvm : tuple of str
        Requirements of apache-tvm and apache-tvm-ffi.
    """
    install_wheels(site, python, tvm, "--no-deps")
    say("fetching Cython")
    cython = [sys.executable, "-m", "pip", "install", "--target", f"{scratch}/cython", "cython>=3"]
    run("pip install cython", cython)
    for library in (*site.glob("tvm*/lib/*.so"), *site.glob("tvm_ffi/core.*.so")):
        library.unlink()
    for header in SUPPORTED:
        (site / header).parent.mkdir(parents=True, exist_ok=True)
        (site / header).write_text(f'#include "{SUPPORT}"\n')
    _build_libraries(site, scratch)
    _build_core(site, sysroot, python, scratch)
    adopt_debian(site, sysroot)


def _build_libraries(site: Path, scratch: Path) -> None:
    """Build libtvm_ffi.so and libtvm_runtime.so, each as one unit: headers cost the most time."""
    include = [f"-I{site}/tvm_ffi/{name}" for name in ("include", "3rdparty/dlpack/include")]
    no_backtrace = ["-DTVM_FFI_USE_LIBBACKTRACE=0", "-DTVM_FFI_BACKTRACE_ON_SEGFAULT=0"]
    ffi = site / "tvm_ffi/lib"
    runtime = site / "tvm/lib"
    for output, sources, flags in (
        (ffi / "libtvm_ffi.so", FFI_SOURCES, ["-DTVM_FFI_EXPORTS", *no_backtrace]),
        (
            runtime / "libtvm_runtime.so",
            RUNTIME_SOURCES,
            ["-DTVM_RUNTIME_EXPORTS", f"-I{site}/tvm/include", f"-L{ffi}", "-ltvm_ffi"],
        ),
    ):
        say(f"building {output.name} (a minute or two)")
        files = sorted(file for pattern in sources for file in site.glob(pattern))
        unit = scratch / f"{output.stem}.cc"
        files = [file for file in files if file.name not in LEFT_OUT]
        if output.stem == "libtvm_runtime":
            files.append(RPC_SERVER)
        unit.write_text("".join(f'#include "{file}"\n' for file in files))
        command = [COMPILER, *FLAGS, *include, str(unit), "-o", str(output), *flags, *LIBRARIES]
        run(f"building {output.name}", command)


def _build_core(site: Path, sysroot: Path, python: str, scratch: Path) -> None:
    """Build ``tvm_ffi.core``, the Cython module, against the sysroot's CPython."""
    say("building tvm_ffi.core")
    sources = scratch / "core"
    shutil.copytree(site / "tvm_ffi/cython", sources)
    header = sources / "tvm_ffi_python_object.h"
    header.write_text(header.read_text().replace(*HEADER_SIZE))
    cython = ["env", f"PYTHONPATH={scratch}/cython", sys.executable, "-m", "cython", "--cplus"]
    cython += ["--module-name", "tvm_ffi.core", "core.pyx", "-o", "core.cpp"]
    run("Cython", cython, cwd=sources)
    with (sources / "core.cpp").open("a") as core:
        # Keeps the library of tvm_ffi's own tests loaded, which is not built here.
        core.write('extern "C" int TVMFFITestingDummyTarget() { return 0; }\n')
    include = [sources, sysroot / "usr/include" / python, sysroot / "usr/include"]
    include += [site / "tvm_ffi/include", site / "tvm_ffi/3rdparty/dlpack/include"]
    output = site / f"tvm_ffi/core.cpython-{python[6:].replace('.', '')}-{TRIPLET}.so"
    command = [COMPILER, *FLAGS, *(f"-I{folder}" for folder in include)]
    command += [f"{sources}/core.cpp", "-o", str(output), f"-L{site}/tvm_ffi/lib", "-ltvm_ffi"]
    command += ["-Wl,-rpath,$ORIGIN/lib"]
    run("building tvm_ffi.core", command)
