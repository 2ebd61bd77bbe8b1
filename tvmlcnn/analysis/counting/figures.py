"""Figures of code that ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .cycles import cycles
from .instructions import KINDS, assembly, tally
from .profile import Code

_SHARE = 0.999  # of the instructions whose blocks are simulated; the others take as long on average


@dataclass(frozen=True)
class Figures:
    """What one or several sections ran.

    Attributes
    ----------
    instructions : int
    fmla : int
        Multiply-adds of vectors of floating point numbers.
    dot : int
        Of vectors of integers: dot products, and multiply-adds to wider sums.
    loads, stores : int
        Instructions that read or write memory.
    stack : int
        Those of them that address the stack.
    cycles : float
        Of LLVM's model of the core.
    """

    instructions: int
    fmla: int
    dot: int
    loads: int
    stores: int
    stack: int
    cycles: float


def figures(parts: Sequence[Counter[Code]], machine: str, model: str) -> list[Figures]:
    """Return the figures of each part of a run, from how often it ran which code.

    Parameters
    ----------
    parts : sequence of Counter
    machine : str
        Key of `machines.MACHINES`.
    model : str
        LLVM's name of the core.
    """
    whole = sum(parts, Counter[Code]())
    texts = assembly(whole, machine)
    per_block = {code: tally(lines) for code, lines in texts.items()}
    modelled = cycles({code: texts[code] for code in _hottest(whole)}, machine, model)
    hot = sum(whole[code] * len(code) for code in modelled)
    pace = sum(whole[code] * each for code, each in modelled.items()) / max(hot, 1)
    found = []
    for part in parts:
        counts: Counter[str] = Counter()
        time = 0.0
        for code, times in part.items():
            for kind, count in per_block[code].items():
                counts[kind] += times * count
            time += times * modelled.get(code, pace * len(code))
        total = sum(times * len(code) for code, times in part.items())
        found.append(Figures(total, **{kind: counts[kind] for kind in KINDS}, cycles=time))
    return found


def added(figures: Sequence[Figures]) -> Figures:
    """Return the figures of several parts together."""
    names = Figures.__dataclass_fields__
    return Figures(*(sum(getattr(each, name) for each in figures) for name in names))


def _hottest(runs: Counter[Code]) -> list[Code]:
    """Return the blocks that make up nearly all instructions of a run."""
    total = sum(times * len(code) for code, times in runs.items())
    found, done = [], 0
    for code in sorted(runs, key=lambda code: (-runs[code] * len(code), code)):
        if done >= _SHARE * total:
            break
        found.append(code)
        done += runs[code] * len(code)
    return found
