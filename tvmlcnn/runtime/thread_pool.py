"""The threads of a loaded model: those that its own file brings, in ``c/pool.c``."""

from __future__ import annotations

import ctypes
import os
import weakref
from pathlib import Path

SOURCE = Path(__file__).parent / "c" / "pool.c"


class ThreadPool:
    """Threads that the kernels of a library run in; they end with this object.

    Parameters
    ----------
    library : ctypes.CDLL
        A compiled model.
    threads : int
        The caller's included.

    Raises
    ------
    MemoryError
        If there is no memory for it.
    """

    def __init__(self, library: ctypes.CDLL, threads: int) -> None:
        library.tvmlcnn_pool_open.restype = ctypes.c_void_p
        pool = library.tvmlcnn_pool_open(threads)
        if not pool:
            raise MemoryError("no memory for the threads of a model")
        self._pool = ctypes.c_void_p(pool)
        self._use = library.tvmlcnn_pool_use
        close = library.tvmlcnn_pool_close
        weakref.finalize(self, _closed, close, self._pool, os.getpid())

    def use(self) -> None:
        """Have the kernels that the calling thread runs take these threads."""
        self._use(self._pool)


def _closed(close: ctypes._NamedFuncPointer, pool: ctypes.c_void_p, process: int) -> None:
    # A forked process has none of the threads, and would wait for their end forever.
    if os.getpid() == process:
        close(pool)
