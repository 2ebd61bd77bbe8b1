"""What this machine's threads can do at most, measured with numpy.

The peak is that of numpy's own matrix product (OpenBLAS); the bandwidth is that of the sum of two
arrays into a third, as McCalpin's STREAM has it ("Add"; a copy is slow on some processors, whose
``rep movsb`` is). It runs in a process of its own, ``python -m tvmlcnn.runtime.limits THREADS``,
where OpenBLAS is told to use one thread a call before numpy is imported; each of the threads then
works by itself.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_SIDE = 384  # of the matrices: they fit the second cache of most cores
# Below, calling numpy takes more than the sum; smaller kernels are held against the first size.
_SIZES = tuple(1 << power for power in range(18, 28))
_PEAK_SECONDS, _SUM_SECONDS = 0.4, 0.04
_ENOUGH = 3


@dataclass(frozen=True)
class Limits:
    """The best that some threads reach together.

    Attributes
    ----------
    peak_gflops : float
        float32, a multiply-add counted as two.
    bandwidth_gbs : dict of int to float
        Bytes read and written by a sum, 1e9 a second, by how many it moves: the fewer, the
        nearer the cache that they stay in.
    """

    peak_gflops: float
    bandwidth_gbs: dict[int, float]

    def bandwidth(self, size: int) -> float:
        """Return the bandwidth of moving ``size`` bytes, 1e9 bytes a second."""
        sizes, bandwidths = zip(*self.bandwidth_gbs.items(), strict=True)
        return float(np.interp(np.log2(size), np.log2(sizes), bandwidths))

    def microseconds(self, flops: float, size: int) -> float:
        """Return the least time of so many operations on so many bytes: the roofline.

        Williams, Waterman and Patterson 2009: the larger one of computing at the peak and of
        moving at the bandwidth. Operations are those of float32.
        """
        return max(flops / self.peak_gflops, size / self.bandwidth(size)) / 1e3


def measure(threads: int) -> Limits:
    """Measure the limits of this machine with so many threads, in about a second."""
    # Kernels for an older processor, which an environment may ask for, do not reach its peak.
    inherited = {name: os.environ[name] for name in os.environ if name != "OPENBLAS_CORETYPE"}
    done = subprocess.run(
        [sys.executable, "-m", "tvmlcnn.runtime.limits", str(threads)],
        env=inherited | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    data = json.loads(done.stdout)
    return Limits(data["peak"], dict(zip(_SIZES, data["bandwidths"], strict=True)))


def _rate(threads: int, seconds: float, work: Callable[[], Callable[[], object]]) -> float:
    """Return how often a second the threads do a piece of work, each at its best."""
    rates: list[float] = []
    barrier = threading.Barrier(threads)

    def loop() -> None:
        piece = work()
        piece()
        barrier.wait()
        times: list[float] = []
        end = time.perf_counter() + seconds
        while len(times) < _ENOUGH or time.perf_counter() < end:
            start = time.perf_counter()
            piece()
            times.append(time.perf_counter() - start)
        rates.append(1 / min(times))

    workers = [threading.Thread(target=loop) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(rates)


def _product() -> Callable[[], object]:
    a, b, c = (np.ones((_SIDE, _SIDE), np.float32) for _ in range(3))
    return lambda: np.matmul(a, b, out=c)


def _sum(size: int) -> Callable[[], object]:
    a, b, c = (np.ones(size // 12, np.float32) for _ in range(3))
    return lambda: np.add(a, b, out=c)


def _main(threads: int) -> None:
    peak = _rate(threads, _PEAK_SECONDS, _product) * 2 * _SIDE**3 / 1e9
    bandwidths = [
        _rate(threads, _SUM_SECONDS, functools.partial(_sum, size // threads))
        * (size // threads)
        / 1e9
        for size in _SIZES
    ]
    print(json.dumps({"peak": peak, "bandwidths": bandwidths}))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
