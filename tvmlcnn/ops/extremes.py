"""The largest and the smallest of several elements, infinities among them.

TVM's own begin with the lowest and the highest number there is, which a row of infinities would be
mistaken for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvm import te, tirx, topi
from tvm.ir import Expr


def identity(kind: str, dtype: str) -> Expr:
    """Return what changes no extremum, ``"max"`` or ``"min"``, of elements of a type."""
    if "float" in dtype:
        return tirx.const(-math.inf if kind == "max" else math.inf, dtype)
    return tirx.min_value(dtype) if kind == "max" else tirx.max_value(dtype)


largest = tirx.comm_reducer(
    lambda a, b: tirx.max(a, b), lambda dtype: identity("max", str(dtype)), name="largest"
)
"""As ``te.max``."""
smallest = tirx.comm_reducer(
    lambda a, b: tirx.min(a, b), lambda dtype: identity("min", str(dtype)), name="smallest"
)
"""As ``te.min``."""


def extremum(data: te.Tensor, *, kind: str, axes: Sequence[int], keep: bool) -> te.Tensor:
    """Return the largest or the smallest along axes.

    Parameters
    ----------
    data : te.Tensor
    kind : str
        ``"max"`` or ``"min"``.
    axes : sequence of int
        From 0 on.
    keep : bool
        Whether these axes stay, of one element each.
    """
    reducer = largest if kind == "max" else smallest
    steps = {axis: te.reduce_axis((0, data.shape[axis]), f"k{axis}") for axis in sorted(axes)}
    left = [axis for axis in range(len(data.shape)) if keep or axis not in steps]

    def element(*place: tirx.Var) -> Expr:
        index = dict(zip(left, place, strict=True)) | steps
        return reducer(data(*(index[axis] for axis in sorted(index))), axis=list(steps.values()))

    shape = [1 if axis in steps else data.shape[axis] for axis in left]

    return te.compute(shape, element, name="extremum")


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
        return largest(data(*index), axis=taps)

    shape = [*data.shape[:first], *sizes, *data.shape[first + rank :]]
    return te.compute(shape, element, name="pool_max")
