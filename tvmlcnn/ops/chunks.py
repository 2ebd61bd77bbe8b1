"""Sums of chunks, which are short enough for the type that they are summed up in."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tvm import te, tirx
from tvm.ir import Expr

from .widening import in_sums

# So many sums of chunks are added up in the type of their own. With 64 random products each, of a
# mean or of none, the result's error in float16 grows from 4 times what rounding it adds to 5.
_FEW = 16


@dataclass(frozen=True)
class Chunk:
    """What is summed up before it is added to the whole sum, of float32 if there are many.

    Attributes
    ----------
    outer : int
        Axes of the reduction that go around it.
    steps : int
        Of the next axis that are in it, a divisor of its extent; of those after it all are.
    """

    outer: int
    steps: int


def chunk_of(kernel: Sequence[int], longest: int) -> Chunk | None:
    """Return the largest chunk of at most ``longest`` steps, None where it would be all of them.

    Parameters
    ----------
    kernel : sequence of int
        Extents of the axes of the reduction.
    longest : int
        0 for any number.
    """
    steps = 1
    for outer in range(len(kernel) - 1, -1, -1):
        if longest and steps * kernel[outer] > longest:
            most = longest // steps
            return Chunk(outer, max(n for n in range(1, most + 1) if kernel[outer] % n == 0))
        steps *= kernel[outer]
    return None


def summed(
    size: Sequence[int],
    kernel: Sequence[int],
    term: Callable[[Expr, Expr, Sequence[Expr]], Expr],
    chunk: Chunk | None,
) -> te.Tensor:
    """Return sums over a kernel, of the sums of chunks where there are some."""
    if chunk is None:
        axes = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate(kernel)]
        return te.compute(size, lambda m, c: te.sum(term(m, c, axes), axis=axes), name="dense")
    cut, steps = chunk.outer, chunk.steps
    counts = [*kernel[:cut], kernel[cut] // steps]
    outer = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate(counts)]
    inner = [te.reduce_axis((0, n), f"s{i}") for i, n in enumerate([steps, *kernel[cut + 1 :]])]

    def part(*place: tirx.Var) -> Expr:
        *before, first, m, c = place
        at = [*before, first * steps + inner[0], *inner[1:]]
        return te.sum(term(m, c, at), axis=inner)

    parts = te.compute((*counts, *size), part, name="dense_chunk")
    added = in_sums if math.prod(counts) > _FEW else (lambda part: part)
    return te.compute(
        size, lambda m, c: te.sum(added(parts(*outer, m, c)), axis=outer), name="dense"
    )
