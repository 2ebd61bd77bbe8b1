"""Where tensors lie in one workspace, so that those used at the same time do not overlap.

Source: Y. Pisarchyk and J. Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020,
algorithm 3, "greedy by size for offset calculation".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .elf_object import ALIGNMENT


@dataclass(frozen=True)
class Lifetime:
    """A tensor of so many bytes, from the first call that uses it to the last one."""

    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class MemoryPlan:
    """The offset of each tensor, a multiple of a cache line, and the size of all in bytes."""

    offsets: tuple[int, ...]
    size: int


def plan_memory(tensors: Sequence[Lifetime]) -> MemoryPlan:
    """Give each tensor a place: the largest first, each in the smallest gap that it fits into."""
    sizes = [-(-tensor.bytes // ALIGNMENT) * ALIGNMENT for tensor in tensors]
    offsets = [0] * len(tensors)
    placed: list[int] = []
    for index in sorted(range(len(tensors)), key=lambda index: -sizes[index]):
        tensor = tensors[index]
        beside = sorted(
            (offsets[other], sizes[other])
            for other in placed
            if tensors[other].first <= tensor.last and tensors[other].last >= tensor.first
        )
        end, best, smallest = 0, None, None
        for start, size in beside:
            gap = start - end
            if gap >= sizes[index] and (smallest is None or gap < smallest):
                best, smallest = end, gap
            end = max(end, start + size)
        offsets[index] = end if best is None else best
        placed.append(index)
    ends = (offset + size for offset, size in zip(offsets, sizes, strict=True))
    return MemoryPlan(tuple(offsets), max(ends, default=0))
