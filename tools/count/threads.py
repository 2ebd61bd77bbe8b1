"""What several threads would take, by the counted work of one and a device's nominal figures.

The pool gives each thread one piece of a parallel loop, of as many iterations as fit (TVM splits it
so); the one with most decides. What kernels bring from memory, which the cores share, takes the
time of its bytes at the memory's nominal bandwidth, at the same time: their weights, where those of
the whole network are more than the last cache holds, and what of their maps it does not hold.
Iterations are taken to be alike, and waking threads to cost nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvmlcnn.analysis.counting import CountedFile
from tvmlcnn.targets import Cpu

_FUNCTION = re.compile(r"^    def (\w+)\((.*)\):$", re.M)
_PARALLEL = re.compile(r"T\.parallel\((\d+)\)")
_WEIGHT = re.compile(r"param_\d+: T\.Buffer\(\(([\d, ]*)\), \"(\w+)\"\)")


@dataclass(frozen=True)
class Loops:
    """A kernel's parallel loops, and its weights.

    Attributes
    ----------
    extents : tuple of int
        Iterations of each of its parallel loops.
    weights : int
        Bytes.
    """

    extents: tuple[int, ...]
    weights: int

    def share(self, threads: int) -> float:
        """Return the share of the work that the thread with most has: of the worst loop."""
        shares = [math.ceil(extent / threads) / extent for extent in self.extents]
        return max(shares, default=1.0)


@dataclass(frozen=True)
class Prediction:
    """Cycles of a network on several threads.

    Attributes
    ----------
    threads : int
    one, several : float
        On one thread, and on all.
    balance, memory : float
        Cycles of ``several`` that are lost since a thread has more than its share, and to waiting
        for memory.
    """

    threads: int
    one: float
    several: float
    balance: float
    memory: float

    @property
    def speed(self) -> float:
        """How many times as fast as one thread."""
        return self.one / self.several


def read_loops(module: Path) -> dict[str, Loops]:
    """Return the loops of each kernel of a scheduled module, as ``--dump-ir`` writes it."""
    text = module.read_text()
    starts = list(_FUNCTION.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    found = {}
    for match, end in zip(starts, ends, strict=True):
        weights = 0
        for shape, dtype in _WEIGHT.findall(match[2]):
            elements = math.prod(int(size) for size in shape.split(",") if size.strip())
            weights += elements * np.dtype(dtype).itemsize
        extents = tuple(map(int, _PARALLEL.findall(text[match.end() : end])))
        found[match[1]] = Loops(extents, weights)
    return found


def predict(
    counted: CountedFile, loops: Mapping[str, Loops], device: Cpu, threads: int
) -> Prediction:
    """Return what a counted network takes on some threads of a device.

    Parameters
    ----------
    counted : CountedFile
        Of a file that was compiled for so many threads, run on one.
    loops : mapping of str to Loops
        By the name of the kernel's function.
    device : Cpu
        With its clock and bandwidth.
    threads : int
    """
    assert device.bandwidth_gbs is not None
    assert device.clock_ghz is not None
    per_cycle = device.bandwidth_gbs / device.clock_ghz  # bytes
    last = device.caches[-1]
    everything = sum(each.weights for each in loops.values())
    one = several = counted.outside.cycles
    balance = memory = 0.0
    for call, figures in counted.kernels:
        its = loops.get(call.function, Loops((), 0))
        far = its.weights if everything > last else 0
        far += max(0, call.bytes - its.weights - last)
        waits = far / per_cycle
        even, worst = figures.cycles / threads, figures.cycles * its.share(threads)
        one += max(figures.cycles, waits)
        several += max(worst, waits)
        balance += worst - even
        memory += max(0.0, waits - worst)
    return Prediction(threads, one, several, balance, memory)
