"""TVM's runtime library: found, loaded and set up once a process.

Only apache-tvm-ffi and ``libtvm_runtime.so`` are loaded, never the Python package ``tvm`` or the
compiler: that saves about a second and 50 MB.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import types
from pathlib import Path

from tvmlcnn.errors import UserError

from .machine import logical_cpus

# After a parallel kernel TVM's workers poll for the next one, by default for 300000 rounds, and
# then take the time of a busy machine's other programs for nothing. Kernels of one network follow
# each other within microseconds.
_SPIN_COUNT = "2000"


def tvm_version() -> str:
    """Return the version of the installed apache-tvm, for example ``"0.27.0"``."""
    return importlib.metadata.version("apache-tvm")


@functools.cache
def load_runtime() -> types.ModuleType:
    """Load TVM's runtime and return the module ``tvm_ffi``.

    Raises
    ------
    UserError
        If apache-tvm is not installed or has no runtime library for this machine.
    """
    # Workers stay where the kernel puts them: pinned ones wait for whatever else runs there.
    os.environ.setdefault("TVM_BIND_THREADS", "0")
    os.environ.setdefault("TVM_THREAD_POOL_SPIN_COUNT", _SPIN_COUNT)
    # A pool cannot grow later; how many of its workers a call uses is set by `Model`.
    os.environ["TVM_NUM_THREADS"] = str(logical_cpus())
    # Otherwise tvm_ffi imports torch where that is installed, which takes seconds.
    os.environ.setdefault("TVM_FFI_DISABLE_TORCH_C_DLPACK", "1")
    found = importlib.util.find_spec("tvm")
    library = (
        Path(found.origin).parent / "lib" / "libtvm_runtime.so" if found and found.origin else None
    )
    if library is None or not library.exists():
        raise UserError("TVM's runtime is not installed for this machine: pip install apache-tvm")
    import tvm_ffi

    try:
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise UserError(f"TVM's runtime cannot be loaded: {error}") from error
    return tvm_ffi
