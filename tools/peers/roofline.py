"""The most multiply-adds that the cores at hand can do: a loop of ``fma.c``, timed as a peer is."""

from __future__ import annotations

import ctypes
import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tvmlcnn.runtime.machine import machine

from .native_code import library

_SECONDS = 0.02  # so long that starting threads is nothing beside it


class Roofline:
    """The loop on a number of threads; call it to run it once.

    Parameters
    ----------
    threads : int
    work : Path
        Folder for the compiled loop.
    dtype : str
        What is multiplied: ``"float32"``, ``"bfloat16"`` or ``"int8"``.
    processor : str
        Clang's name of the processor whose instructions may be used, or ``"native"``.

    Raises
    ------
    RuntimeError
        If the loop cannot be compiled.
    """

    # The loop never waits, so what it lacks of the processors' time went to other programs.
    _wall = _processor = 0.0

    def __init__(
        self, threads: int, work: Path, dtype: str = "float32", processor: str = "native"
    ) -> None:
        loop = _built(work, dtype, processor)
        sink = ctypes.c_float()

        def run(rounds: int) -> float:
            return float(loop(rounds, 0.999, ctypes.byref(sink)))

        rounds, spent = 1000, 0.0
        while spent < _SECONDS / 4:
            rounds *= 2
            start = time.perf_counter()
            run(rounds)
            spent = time.perf_counter() - start
        self._rounds = int(rounds * _SECONDS / spent)
        self._run = run
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._operations = threads * run(self._rounds)

    def __call__(self) -> None:
        """Run the loop once on all threads."""
        wall, processor = time.perf_counter(), time.process_time()
        if self._pool is None:
            self._run(self._rounds)
        else:  # ctypes lets go of the interpreter's lock
            list(self._pool.map(self._run, [self._rounds] * self._threads))
        self._wall += time.perf_counter() - wall
        self._processor += time.process_time() - processor

    @property
    def availability(self) -> float:
        """The share of the cores' time that the calls so far got from the operating system."""
        return min(self._processor / (self._wall * self._threads), 1.0)

    def gflops(self, milliseconds: float) -> float:
        """Return the 1e9 operations a second of a call, a multiply-add counted as two."""
        return self._operations / milliseconds / 1e6


@functools.cache
def _built(work: Path, dtype: str, processor: str) -> Callable[..., float]:
    options = [f"-march={processor}", "-ffp-contract=fast"]
    if machine() == "x86_64":
        # Else clang halves the vectors for processors that once slowed down with whole ones.
        options.append("-mprefer-vector-width=512")
    loop = getattr(library("fma", work, *options), f"loop_of_{dtype}")
    loop.restype = ctypes.c_double
    loop.argtypes = [ctypes.c_long, ctypes.c_float, ctypes.POINTER(ctypes.c_float)]
    return loop
