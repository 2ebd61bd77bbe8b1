"""TVM's runtime library, whose protocol brings kernels to a board: loaded once a process.

Only apache-tvm-ffi and ``libtvm_runtime.so`` are loaded, never the Python package ``tvm`` or the
compiler: that saves about a second and 50 MB.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import types
from pathlib import Path

from tvmlcnn.errors import UserError
from tvmlcnn.runtime.machine import logical_cpus

# After a parallel kernel TVM's workers poll for the next one, by default for 300000 rounds, and
# then take the time of a busy machine's other programs for nothing. Kernels of one network follow
# each other within microseconds.
_SPIN_COUNT = "2000"


def tvm_version() -> str:
    """Return the version of the installed apache-tvm, for example ``"0.27.0"``."""
    return importlib.metadata.version("apache-tvm")


def library_folder() -> Path:
    """Return the folder of TVM's libraries; the package itself is not imported.

    Raises
    ------
    UserError
        If apache-tvm is not installed.
    """
    found = importlib.util.find_spec("tvm")
    if found is None or found.origin is None:
        raise UserError("boards need TVM's runtime: pip install 'tvmlcnn[device]'")
    return Path(found.origin).parent / "lib"


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
    library = library_folder() / "libtvm_runtime.so"
    tvm_ffi = import_without_torch("tvm_ffi")
    try:
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise UserError(f"TVM's runtime cannot be loaded: {error}") from error
    return tvm_ffi


def import_without_torch(name: str) -> types.ModuleType:
    """Import a module of TVM's and keep it from importing torch, which takes seconds and 200 MB.

    tvm_ffi imports torch where it is installed, to convert its tensors; numpy arrays need none of
    that. Where the application has imported torch already, it stays visible.
    """
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    finally:
        if hidden:
            del sys.modules["torch"]
