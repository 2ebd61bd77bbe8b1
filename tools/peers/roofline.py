"""The most multiply-adds that the cores at hand can do: a loop of ``fma.c``, timed as a peer is."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_SECONDS = 0.02  # so long that starting threads is nothing beside it


class Roofline:
    """The loop on a number of threads; call it to run it once.

    Attributes
    ----------
    operations : float
        Floating-point operations of a call on all threads, a multiply-add counted as two.
    """

    def __init__(self, threads: int, work: Path) -> None:
        loop = _built(work)
        sink = ctypes.c_float()

        def run(rounds: int) -> float:
            return float(loop(rounds, 0.999, ctypes.byref(sink)))

        rounds = 1000
        while (spent := _time(lambda: run(rounds))) < _SECONDS / 4:
            rounds *= 2
        self._rounds = int(rounds * _SECONDS / spent)
        self._run = run
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.operations = threads * run(self._rounds)

    def __call__(self) -> None:
        if self._pool is None:
            self._run(self._rounds)
        else:  # ctypes lets go of the interpreter's lock
            list(self._pool.map(self._run, [self._rounds] * self._threads))


def _built(work: Path) -> Callable[..., float]:
    """Compile the loop for this machine with clang, which the extra ``compile`` brings."""
    library = work / "fma.so"
    source = Path(__file__).with_name("fma.c")
    command = [sys.executable, "-m", "ziglang", "cc", "-O3", "-march=native", "-ffp-contract=fast"]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(work / "zig"), "ZIG_LOCAL_CACHE_DIR": str(work / "zig")}
    done = subprocess.run(
        [*command, "-shared", "-fPIC", "-o", str(library), str(source)],
        env=os.environ | caches,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"zig cc: {done.stderr.strip().splitlines()[-1]}")
    loop = ctypes.CDLL(str(library)).fma_loop
    loop.restype = ctypes.c_double
    loop.argtypes = [ctypes.c_long, ctypes.c_float, ctypes.POINTER(ctypes.c_float)]
    return loop


def _time(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
