"""The largest and the smallest of several elements, and where they are; NaN where there is one.

TVM's own begin with the lowest and the highest number there is, which a row of infinities would be
mistaken for, and forget a NaN at the next number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import te, tirx, topi
from tvm.ir import Expr

from tvmlcnn.exact_arithmetic import less_equal, maximum, minimum, not_equal

_WHERE = "int32"


def identity(kind: str, dtype: str) -> Expr:
    """Return what changes no extremum, ``"max"`` or ``"min"``, of elements of a type."""
    if "float" in dtype:
        return tirx.const(-math.inf if kind == "max" else math.inf, dtype)
    return tirx.min_value(dtype) if kind == "max" else tirx.max_value(dtype)


# The new element is the one that is asked whether it is NaN, so that no step waits for the answer.
largest = tirx.comm_reducer(
    lambda a, b: maximum(b, a), lambda dtype: identity("max", str(dtype)), name="largest"
)
"""As ``te.max``."""
largest_number = tirx.comm_reducer(
    lambda a, b: tirx.max(a, b), lambda dtype: identity("max", str(dtype)), name="largest_number"
)
"""As ``te.max``, which forgets a NaN at the next number: half of the time that it takes to ask."""
smallest = tirx.comm_reducer(
    lambda a, b: minimum(b, a), lambda dtype: identity("min", str(dtype)), name="smallest"
)
"""As ``te.min``."""


def extreme(data: te.Tensor, *, kind: str, axes: Sequence[int], keep: bool) -> te.Tensor:
    """Return the largest or the smallest element along axes.

    Parameters
    ----------
    data : te.Tensor
    kind : str
        ``"max"`` or ``"min"``.
    axes : sequence of int
        Counted from the front.
    keep : bool
        Whether they stay, of one element each.
    """
    reduce = {"max": largest, "min": smallest}[kind]
    steps = {axis: te.reduce_axis((0, data.shape[axis]), f"k{axis}") for axis in axes}

    def element(*place: tirx.Var) -> Expr:
        return reduce(data(*_whole(place, steps, keep)), axis=list(steps.values()))

    return te.compute(_left(data, axes, keep), element, name=kind)


def largest_of_windows(
    data: te.Tensor,
    *,
    first: int,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> te.Tensor:
    """Return the largest element of each window of neighbouring axes.

    Parameters
    ----------
    data : te.Tensor
    first : int
        The first of the axes.
    sizes : sequence of int
        How many windows there are along each of them.
    window, strides, dilation : sequence of int
        Along each of them.
    padding : sequence of int
        Before each of them, then after each; it counts as what is less than any element.
    """
    rank, beside = len(window), len(data.shape) - first - len(window)
    before, after = padding[:rank], padding[rank:]
    if any(padding):
        around = ([0] * first + list(side) + [0] * beside for side in (before, after))
        data = topi.nn.pad(data, *around, identity("max", str(data.dtype)))
    taps = [te.reduce_axis((0, count), f"tap{axis}") for axis, count in enumerate(window)]

    def element(*place: tirx.Var) -> Expr:
        index = list(place)
        for axis, tap in enumerate(taps):
            index[first + axis] = place[first + axis] * strides[axis] + tap * dilation[axis]
        return largest_number(data(*index), axis=taps)

    shape = [*data.shape[:first], *sizes, *data.shape[first + rank :]]
    return te.compute(shape, element, name="pool_max")


def place_of_extreme(data: te.Tensor, *, kind: str, axis: int, keep: bool) -> te.Tensor:
    """Return where along an axis the largest or the smallest element is, as int64.

    The first one of several that are equal; the first NaN where there is one.

    Parameters
    ----------
    data : te.Tensor
    kind : str
        ``"max"`` or ``"min"``.
    axis : int
        Counted from the front.
    keep : bool
        Whether it stays, of one element.
    """
    step = te.reduce_axis((0, data.shape[axis]), "k")
    shape = _left(data, [axis], keep)
    pairs = te.compute(
        shape,
        lambda *place: _PLACES[kind](
            (tirx.Cast(_WHERE, step), data(*_whole(place, {axis: step}, keep))), axis=step
        ),
        name=f"arg{kind}_pairs",
    )
    return te.compute(shape, lambda *place: tirx.Cast("int64", pairs[0](*place)), name=f"arg{kind}")


def _left(data: te.Tensor, axes: Sequence[int], keep: bool) -> list[int]:
    sizes = [int(n) for n in data.shape]
    return [
        1 if axis in axes else size for axis, size in enumerate(sizes) if keep or axis not in axes
    ]


def _whole(place: Sequence[Expr], steps: dict[int, Expr], keep: bool) -> list[Expr]:
    """Return the place in the data, given that in the result and steps along the axes."""
    rank = len(place) + (0 if keep else len(steps))
    own = iter(place)
    whole = []
    for axis in range(rank):
        here = next(own) if keep or axis not in steps else None
        whole.append(steps.get(axis, here))
    return whole


def _places(at_least: Callable[[Expr, Expr], Expr], kind: str, name: str) -> Callable[..., Expr]:
    """Return a reducer of pairs, of a place and an element; it begins at the first place."""

    def combined(a: tuple[Expr, Expr], b: tuple[Expr, Expr]) -> tuple[Expr, Expr]:
        # Of two that are equal, or NaN, the earlier one stays.
        first = tirx.any(at_least(a[1], b[1]), not_equal(a[1], a[1]))
        second = tirx.Not(tirx.any(at_least(b[1], a[1]), not_equal(b[1], b[1])))
        stays = tirx.Select(a[0] < b[0], first, second)
        return tirx.Select(stays, a[0], b[0]), tirx.Select(stays, a[1], b[1])

    return tirx.comm_reducer(
        combined,
        lambda place, element: (tirx.const(0, str(place)), identity(kind, str(element))),
        name=name,
    )


_PLACES = {
    "max": _places(lambda a, b: less_equal(b, a), "max", "place_of_largest"),
    "min": _places(less_equal, "min", "place_of_smallest"),
}
