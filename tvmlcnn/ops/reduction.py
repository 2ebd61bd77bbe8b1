"""Sums and extrema of what lies together in memory: vectors side by side, in levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import te, tirx
from tvm.ir import Expr

from tvmlcnn.exact_arithmetic import maximum, minimum

from .extremes import largest, smallest
from .levels import in_levels, levels_of, within

_REDUCE = {"sum": te.sum, "max": largest, "min": smallest}
_PAIR: dict[str, Callable[[Expr, Expr], Expr]] = {
    "sum": lambda a, b: a + b,
    "max": maximum,
    "min": minimum,
}

Term = Callable[[Sequence[Expr], Expr], Expr]


def unraveled(k: Expr, shape: Sequence[int]) -> list[Expr]:
    """Return the indices of an element that is counted through all axes."""
    place = []
    for extent in reversed(shape[1:]):
        place.append(k % extent)
        k = k // extent
    return [k, *reversed(place)]


def raveled(place: Sequence[Expr], shape: Sequence[int]) -> Expr:
    """Return the number of an element, counted through all axes."""
    k, *others = place
    for index, extent in zip(others, shape[1:], strict=True):
        k = k * extent + index
    return k


def of_rows(
    name: str, kind: str, term: Term, outer: Sequence[int], count: int, wide: int, scale: float = 1
) -> te.Tensor:
    """Return the sums, the largest or the smallest of rows.

    Parameters
    ----------
    name : str
        Of the result; its stages are called ``name_blocks`` (and so on, see `in_levels`),
        ``name_lanes`` and ``name_rest``.
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
    uneven = math.prod(levels_of(steps)) > steps

    def side_by_side(row: Sequence[Expr], at: Expr, lane: Sequence[Expr]) -> Expr:
        if not uneven:
            return term(row, at * wide + lane[0])
        # What is past the end: nothing to a sum, the last ones again to an extremum.
        value = term(row, tirx.min(at, steps - 1) * wide + lane[0])
        return within(value, at, steps) if kind == "sum" else value

    lanes = in_levels(name, f"{name}_lanes", _REDUCE[kind], side_by_side, outer, steps, [wide])
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


def reduce_columns(data: te.Tensor, *, lead: int, inner: int, kind: str, keep: bool) -> te.Tensor:
    """Return the sum or the mean over all axes but the first and the last ones.

    Parameters
    ----------
    data : te.Tensor
    lead, inner : int
        How many axes there are before and after those that are summed over, at least one after.
    kind : str
        ``"sum"`` or ``"mean"``.
    keep : bool
        Whether the latter stay, of one element each.
    """
    shape = [int(n) for n in data.shape]
    along, after = shape[lead : len(shape) - inner], shape[len(shape) - inner :]
    count = math.prod(along)

    def term(row: Sequence[Expr], at: Expr, column: Sequence[Expr]) -> Expr:
        return within(data(*row[:lead], *unraveled(at, along), *column), at, count)

    outer = shape[:lead] + [1] * len(along) * keep
    total = in_levels("reduction", "reduction", te.sum, term, outer, count, after)
    if kind == "sum":
        return total
    scale = tirx.const(1.0 / count, data.dtype)
    return te.compute(total.shape, lambda *place: total(*place) * scale, name="mean")
