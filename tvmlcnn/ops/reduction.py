"""Sums and extrema of what lies together in memory: vectors side by side, in blocks.

Long sums are made of the sums of blocks, so that errors do not add up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import te, tirx
from tvm.ir import Expr

from tvmlcnn.exact_arithmetic import maximum, minimum

from .extremes import largest, smallest

# Steps of a sum before the next one begins.
BLOCK = 64

_REDUCE = {"sum": te.sum, "max": largest, "min": smallest}
_PAIR: dict[str, Callable[[Expr, Expr], Expr]] = {
    "sum": lambda a, b: a + b,
    "max": maximum,
    "min": minimum,
}

Term = Callable[[Sequence[Expr], Expr], Expr]


def blocks_of(steps: int) -> tuple[int, int]:
    """Return how many blocks a sum of so many steps has, and the steps of one.

    The last block has fewer where nothing of half the largest size up to it divides the steps.
    """
    if steps <= BLOCK:
        return 1, steps
    for size in range(BLOCK, BLOCK // 2, -1):
        if steps % size == 0:
            return steps // size, size
    return -(-steps // BLOCK), BLOCK


def unraveled(k: Expr, shape: Sequence[int]) -> list[Expr]:
    """Return the indices of an element that is counted through all axes."""
    place = []
    for extent in reversed(shape[1:]):
        place.append(k % extent)
        k = k // extent
    return [k, *reversed(place)]


def of_rows(
    name: str, kind: str, term: Term, outer: Sequence[int], count: int, wide: int, scale: float = 1
) -> te.Tensor:
    """Return the sums, the largest or the smallest of rows.

    Parameters
    ----------
    name : str
        Of the result; its stages are called ``name_blocks``, ``name_lanes`` and ``name_rest``.
    kind : str
        ``"sum"``, ``"max"`` or ``"min"``.
    term : callable
        Takes the place of a row and which of its elements; returns what is reduced.
    outer : sequence of int
        How many rows there are, along each axis.
    count, wide : int
        Elements of a row, and how many are reduced side by side.
    scale : float
        Multiplies a sum.
    """
    steps = count // wide
    blocks, size = blocks_of(steps)
    step = te.reduce_axis((0, size), "step")

    def partial(*place: tirx.Var) -> Expr:
        *row, block, lane = place
        at = block * size + step
        if blocks * size > steps:
            # What is past the end: nothing to a sum, the last ones again to an extremum.
            value = term(row, tirx.min(at, steps - 1) * wide + lane)
            if kind == "sum":
                value = tirx.if_then_else(at < steps, value, tirx.const(0.0, value.ty.dtype))
        else:
            value = term(row, at * wide + lane)
        return _REDUCE[kind](value, axis=step)

    sums = te.compute((*outer, blocks, wide), partial, name=f"{name}_blocks")
    if blocks > 1:
        block = te.reduce_axis((0, blocks), "block")
        lanes = te.compute(
            (*outer, wide),
            lambda *place: _REDUCE[kind](sums(*place[:-1], block, place[-1]), axis=block),
            name=f"{name}_lanes",
        )
    else:
        lanes = te.compute(
            (*outer, wide), lambda *place: sums(*place[:-1], 0, place[-1]), name=f"{name}_lanes"
        )
    rest, last = count - steps * wide, None
    if rest:
        k = te.reduce_axis((0, rest), "rest")
        last = te.compute(
            outer,
            lambda *row: _REDUCE[kind](term(row, k + steps * wide), axis=k),
            name=f"{name}_rest",
        )

    def total(*row: tirx.Var) -> Expr:
        values = [lanes(*row, lane) for lane in range(wide)]
        if last is not None:
            values.append(last(*row))
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=False)
            values = [_PAIR[kind](*pair) for pair in pairs] + values[len(values) // 2 * 2 :]
        return values[0] if scale == 1 else values[0] * tirx.const(scale, lanes.dtype)

    return te.compute(outer, total, name=name)


def reduce_rows(data: te.Tensor, *, lead: int, kind: str, keep: bool, wide: int) -> te.Tensor:
    """Return the reduction of all axes but the first ones.

    Parameters
    ----------
    data : te.Tensor
        Shape (outer axes, inner axes).
    lead : int
        How many outer axes there are, at least one.
    kind : str
        ``"sum"``, ``"mean"``, ``"max"`` or ``"min"``.
    keep : bool
        Whether the inner axes stay, of one element each.
    wide : int
        Elements of a row that are reduced side by side.
    """
    shape = [int(n) for n in data.shape]
    outer, inner = shape[:lead], shape[lead:]
    count = math.prod(inner)
    scale = 1.0 / count if kind == "mean" else 1.0
    result = of_rows(
        "reduction",
        "sum" if kind == "mean" else kind,
        lambda row, k: data(*row, *unraveled(k, inner)),
        outer,
        count,
        wide,
        scale,
    )
    left = [*outer, *(1 for _ in inner)] if keep else outer
    return te.compute(left, lambda *place: result(*place[:lead]), name="store")
