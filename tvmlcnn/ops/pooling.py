"""Pooling of channels-last data."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import te, tirx
from tvm.ir import Expr

from tvmlcnn.targets import CODES, FLOAT32

from .extremes import largest_number
from .levels import in_levels, levels_of, longest_part, within
from .widening import as_type, in_registers, in_sums

# Codes whose sum always fits 16 bits, with a sign, of either type.
_CODES_IN_SUM = (2**15 - 1) // (2**8 - 1)


def max_pool(
    data: te.Tensor,
    size: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[int],
) -> te.Tensor:
    """Return the maximum of each window.

    A tap outside the map reads the map's nearest pixel instead, which is one of the same window:
    that changes no maximum, and needs no copy with a border and no condition. NaN is lost beside a
    number: asking each tap for it would take twice as long.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, C).
    size : sequence of int
        Height and width of the output; a window of each overlaps the map.
    window, strides : sequence of int
        Of height and width; the taps of a window are neighbours.
    padding : sequence of int
        Top and left.

    Returns
    -------
    te.Tensor
        Shape (N, *size, C).
    """
    ry, rx = (
        te.reduce_axis((0, taps), name) for taps, name in zip(window, ("ry", "rx"), strict=True)
    )
    height, width = (int(n) for n in data.shape[1:3])
    pooled = te.compute(
        (data.shape[0], *size, data.shape[3]),
        lambda n, h, w, c: largest_number(
            in_registers(
                data(
                    n,
                    _inside(
                        h * strides[0] + ry - padding[0],
                        height,
                        size[0],
                        strides[0],
                        window[0],
                        padding[0],
                    ),
                    _inside(
                        w * strides[1] + rx - padding[1],
                        width,
                        size[1],
                        strides[1],
                        window[1],
                        padding[1],
                    ),
                    c,
                )
            ),
            axis=[ry, rx],
        ),
        name="pool",
    )
    if pooled.dtype == data.dtype:
        return pooled
    return te.compute(pooled.shape, lambda *at: as_type(pooled(*at), data.dtype), name="store")


def _inside(index: Expr, size: int, out: int, stride: int, taps: int, before: int) -> Expr:
    """Return the nearest index of a map of ``size`` pixels, of which ``out`` windows are taken."""
    if before:
        index = tirx.max(index, 0)
    if (out - 1) * stride + taps - before > size:
        index = tirx.min(index, size - 1)
    return index


def average_pool(
    data: te.Tensor,
    size: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[int],
    count_include_pad: bool,
) -> te.Tensor:
    """Return the mean of each window.

    A tap outside the map reads the map's nearest pixel, times zero.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, C).
    size : sequence of int
        Height and width of the output; a window of each overlaps the map.
    window, strides : sequence of int
        Of height and width; the taps of a window are neighbours.
    padding : sequence of int
        Top, left, bottom, right.
    count_include_pad : bool
        Whether the padding counts as pixels. What is past it never does.

    Returns
    -------
    te.Tensor
        Shape (N, *size, C).
    """
    extents = [int(n) for n in data.shape[1:3]]

    def taps_inside(axis: int, o: tirx.Var, before: int, after: int) -> Expr:
        """Return how many taps of the window lie in the map and so much around it."""
        start = o * strides[axis] - padding[axis]
        end = start + window[axis]
        return tirx.min(end, extents[axis] + after) - tirx.max(start, -before)

    def tap(n: Expr, h: Expr, w: Expr, c: Expr, ry: Expr, rx: Expr) -> Expr:
        y, x = h * strides[0] + ry - padding[0], w * strides[1] + rx - padding[1]
        iy = _inside(y, extents[0], size[0], strides[0], window[0], padding[0])
        ix = _inside(x, extents[1], size[1], strides[1], window[1], padding[1])
        value = in_sums(data(n, iy, ix, c))
        if iy is y and ix is x:
            return value
        here = tirx.all(iy == y, ix == x)
        return value * tirx.Cast(value.ty.dtype, here)

    total = _sum_of_windows(data, size, window, tap)
    around = padding if count_include_pad else (0, 0, 0, 0)

    def mean(n: tirx.Var, h: tirx.Var, w: tirx.Var, c: tirx.Var) -> Expr:
        count = taps_inside(0, h, around[0], around[2]) * taps_inside(1, w, around[1], around[3])
        result = total(n, h, w, c) * (1.0 / tirx.Cast(total.dtype, count))
        return as_type(result, data.dtype)

    return te.compute(total.shape, mean, name="mean")


def _sum_of_windows(
    data: te.Tensor, size: Sequence[int], window: Sequence[int], tap: Callable[..., Expr]
) -> te.Tensor:
    """Return the sum of the taps of each window, in levels where they are many."""
    shape, taps = (data.shape[0], *size, data.shape[3]), math.prod(window)
    if len(levels_of(taps)) > 1:
        return in_levels(
            "pool",
            "pool",
            te.sum,
            lambda at, t, c: within(tap(*at, *c, t // window[1], t % window[1]), t, taps),
            [int(n) for n in shape[:-1]],
            taps,
            [int(shape[-1])],
        )
    axes = [te.reduce_axis((0, n), name) for n, name in zip(window, ("ry", "rx"), strict=True)]
    return te.compute(shape, lambda *at: te.sum(tap(*at, *axes), axis=axes), name="pool")


def global_average(data: te.Tensor, keep: bool, levels: Sequence[int] | None = None) -> te.Tensor:
    """Return the mean of each channel over the map; that of codes is float32.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, C).
    keep : bool
        Whether the result has the shape (N, 1, 1, C), not (N, C).
    levels : sequence of int, optional
        Steps of each level of the sum, the innermost first, as of `in_levels`; by default codes
        are added as integers first.
    """
    batch, height, width, channels = (int(n) for n in data.shape)
    pixels = height * width
    codes = str(data.dtype) in CODES

    def at(n: Sequence[Expr], pixel: Expr, c: Sequence[Expr]) -> Expr:
        value = in_sums(data(n[0], pixel // width, pixel % width, c[0]))
        return within(value, pixel, pixels, levels)

    if codes and levels is None:
        total = _sum_of_codes(data)
    else:
        total = in_levels(
            "global_average", "global_average", te.sum, at, [batch], pixels, [channels], levels
        )
    shape = (batch, 1, 1, channels) if keep else (batch, channels)

    def mean(n: tirx.Var, *at: tirx.Var) -> Expr:
        mean = as_type(total(n, at[-1]), FLOAT32.name) * (1.0 / pixels)
        return mean if codes else as_type(mean, data.dtype)

    return te.compute(shape, mean, name="mean")


def _sum_of_codes(data: te.Tensor) -> te.Tensor:
    """Return the sum of each channel over the map, of codes: as many as fit are added in int16.

    On ARM two instructions add sixteen codes to sums of 16 bits; twelve make numbers of float32 of
    them and add these.
    """
    batch, height, width, channels = (int(n) for n in data.shape)
    pixels = height * width
    size = longest_part(pixels, _CODES_IN_SUM)
    count = -(-pixels // size)
    steps = te.reduce_axis((0, size), "step")

    def code(n: Expr, pixel: Expr, c: Expr) -> Expr:
        value = data(n, pixel // width, pixel % width, c).astype("int16")
        return within(value, pixel, pixels, (size, count))

    if count == 1:
        return te.compute(
            (batch, channels),
            lambda n, c: te.sum(code(n, steps, c), axis=steps),
            name="global_average",
        )
    parts = te.compute(
        (batch, count, channels),
        lambda n, part, c: te.sum(code(n, part * size + steps, c), axis=steps),
        name="global_average_blocks_of_codes",
    )

    def part(n: Sequence[Expr], step: Expr, c: Sequence[Expr]) -> Expr:
        value = parts(n[0], tirx.min(step, count - 1), c[0]).astype(FLOAT32.name)
        return within(value, step, count)

    return in_levels("global_average", "global_average", te.sum, part, [batch], count, [channels])
