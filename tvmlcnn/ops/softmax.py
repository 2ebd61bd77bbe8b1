"""Softmax and its logarithm, over the middle axis of three."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from tvm import te, tirx
from tvm.ir import Expr

from .levels import in_levels, within


def softmax(data: te.Tensor, lanes: int, logarithm: bool) -> te.Tensor:
    """Return the softmax, or its logarithm, along the second axis.

    The largest value is subtracted first, so that no exponential overflows. Where the last axis is
    one element the lanes of a vector are neighbours along the second one: each lane has a maximum
    and a sum of its own, which are brought together at the end of a row. The last vector of a row
    ends with the row: elements that the one before it has are left out of the sum.

    Parameters
    ----------
    data : te.Tensor
        Shape (rows, K, inner).
    lanes : int
        Of a vector; divides ``inner``, unless that is 1.
    logarithm : bool

    Returns
    -------
    te.Tensor
        Of the shape of ``data``.
    """
    rows, size, inner = (int(n) for n in data.shape)
    if inner > 1:
        return _of_columns(data, logarithm)
    blocks = -(-size // lanes)

    def start(b: Expr) -> Expr:
        return b * lanes if size % lanes == 0 else tirx.min(b * lanes, size - lanes)

    def value(r: Expr, b: Expr, lane: Expr) -> Expr:
        return data(r, start(b) + lane, 0)

    b = te.reduce_axis((0, blocks), "b")
    lane_max = te.compute(
        (rows, lanes), lambda r, s: te.max(value(r, b, s), axis=b), name="lane_max"
    )
    largest = _of_lanes(lane_max, tirx.max, "largest")
    power = te.compute(
        (rows, blocks, lanes),
        lambda r, b, s: tirx.exp(value(r, b, s) - largest[r, 0]),
        name="power",
    )
    zero = tirx.const(0, data.dtype)

    def counted(r: Sequence[Expr], b: Expr, s: Sequence[Expr]) -> Expr:
        value = power(*r, b, *s)
        if size % lanes:
            value = tirx.Select(start(b) + s[0] >= b * lanes, value, zero)
        return within(value, b, blocks)

    lane_sum = in_levels("lane_sum", "lane_sum", te.sum, counted, [rows], blocks, [lanes])
    total = _of_lanes(lane_sum, operator.add, "total")
    if logarithm:
        shift = te.compute((rows,), lambda r: largest[r, 0] + tirx.log(total[r, 0]), name="shift")
        return te.compute(data.shape, lambda r, k, _: data(r, k, 0) - shift[r], name="softmax")
    one = tirx.const(1, data.dtype)
    scale = te.compute((rows,), lambda r: one / total[r, 0], name="shift")
    return te.compute(
        data.shape,
        lambda r, k, _: power[r, k // lanes, k - start(k // lanes)] * scale[r],
        name="softmax",
    )


def _of_lanes(tensor: te.Tensor, combine: Callable[[Expr, Expr], Expr], name: str) -> te.Tensor:
    """Return what the lanes of each row come to, of shape (rows, 1): halves are combined."""
    rows, lanes = (int(n) for n in tensor.shape)
    if lanes == 1:
        return tensor
    half = lanes // 2
    halved = te.compute(
        (rows, half),
        lambda r, s: combine(tensor[r, s], tensor[r, s + half]),
        name=f"{name}_{half}",
    )
    return _of_lanes(halved, combine, name)


def _of_columns(data: te.Tensor, logarithm: bool) -> te.Tensor:
    rows, size, inner = (int(n) for n in data.shape)
    k = te.reduce_axis((0, size), "k")
    largest = te.compute((rows, inner), lambda r, i: te.max(data[r, k, i], axis=k), name="largest")
    power = te.compute(
        data.shape, lambda r, k, i: tirx.exp(data(r, k, i) - largest[r, i]), name="power"
    )

    def counted(r: Sequence[Expr], k: Expr, i: Sequence[Expr]) -> Expr:
        return within(power(*r, k, *i), k, size)

    total = in_levels("total", "total", te.sum, counted, [rows], size, [inner])
    if logarithm:
        shift = te.compute(
            (rows, inner), lambda r, i: largest[r, i] + tirx.log(total[r, i]), name="shift"
        )
        return te.compute(data.shape, lambda r, k, i: data(r, k, i) - shift[r, i], name="softmax")
    one = tirx.const(1, data.dtype)
    scale = te.compute((rows, inner), lambda r, i: one / total[r, i], name="shift")
    return te.compute(data.shape, lambda r, k, i: power[r, k, i] * scale[r, i], name="softmax")
