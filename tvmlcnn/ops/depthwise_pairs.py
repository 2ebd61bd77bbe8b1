"""Depthwise convolutions of codes, several of whose products are added in 16 bits."""

from __future__ import annotations

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr

from .convolution import Window
from .depthwise import from_first


def pack_depthwise_pairs(
    weight: np.ndarray, lanes: int, window: Window, zero: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights for rows of output that do without some rows of the kernel, and their sums.

    Where a kernel's row lies above or below the map, any row is read, and multiplied by zero.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (..., rows, columns, C).
    lanes : int
        Channels that are computed at a time: all their weights lie together.
    window : Window
    zero : int
        Code of what lies around the maps.

    Returns
    -------
    weights : numpy.ndarray
        Shape (..., rows that may lie above + 1, rows that may lie below + 1, C / lanes, taps,
        lanes).
    sums : numpy.ndarray
        Of what the rows that are left out would have added: int32, shape (..., rows above + 1, rows
        below + 1, C).
    """
    *planes, rows, columns, channels = weight.shape
    above, below = (outside + 1 for outside in rows_outside(rows, window))
    weights = np.zeros((*planes, above, below, rows, columns, channels), weight.dtype)
    sums = np.zeros((*planes, above, below, channels), np.int32)
    whole = weight.sum((-3, -2), dtype=np.int32)
    for top in range(above):
        for bottom in range(below):
            inside = slice(top, max(top, rows - bottom))
            weights[..., top, bottom, inside, :, :] = weight[..., inside, :, :]
            own = weight[..., inside, :, :].sum((-3, -2), dtype=np.int32)
            sums[..., top, bottom, :] = zero * (whole - own)
    split = weights.reshape(*planes, above, below, rows * columns, channels // lanes, lanes)
    return np.ascontiguousarray(np.moveaxis(split, -2, -3)), sums


def rows_outside(rows: int, window: Window) -> tuple[int, int]:
    """Return how many rows of a kernel at most lie above and below a map."""
    top, _, bottom, _ = window.padding
    spread = window.dilation[0]
    return min(rows, -(-top // spread)), min(rows, -(-bottom // spread))


def depthwise_pairs(
    data: te.Tensor,
    weight: te.Tensor,
    sums: te.Tensor,
    kernel: tuple[int, int],
    run: int,
    window: Window,
    batch: int | None = None,
    first: tuple[int, int] = (0, 0),
    zero: int = 0,
) -> te.Tensor:
    """Return the depthwise convolution of NHWC codes, summed in int32.

    Parameters
    ----------
    data : te.Tensor
        int8.
    weight, sums : te.Tensor
        From `pack_depthwise_pairs`.
    kernel : tuple of int
        Rows and columns.
    run : int
        Taps whose products are added in 16 bits, which they have to fit.
    window : Window
    batch, first, zero
        As of `tvmlcnn.ops.depthwise`.
    """
    outermost, height, width, _ = (int(n) for n in data.shape)
    batch = batch or outermost
    *planes, _, _, blocks, taps, lanes = (int(n) for n in weight.shape)
    rows, columns = kernel
    (step, stride), (spread, apart) = window.strides, window.dilation
    top, left, bottom, right = window.padding
    above, below = rows_outside(rows, window)
    size = window.output((height + top + bottom, width + left + right), kernel)
    runs = te.reduce_axis((0, -(-taps // run)), "runs")

    def outside(h: Expr) -> list[Expr]:
        """Return how many rows of the kernel lie above and below the map."""
        over = tirx.max(top - h * step + (spread - 1), 0) // spread
        under = tirx.max(h * step + (rows - 1) * spread - top - (height - 1) + (spread - 1), 0)
        return [tirx.min(over, above), tirx.min(under // spread, below)]

    def code(n: Expr, h: Expr, w: Expr, c: Expr, tap: Expr) -> Expr:
        row = h * step + tap // columns * spread - top
        column = w * stride + tap % columns * apart - left
        inside = tirx.max(tirx.min(row, height - 1), 0) if top or bottom else row
        found = data(*from_first(first, [n, inside, column], c))
        if not (left or right):
            return found
        there = tirx.all(column >= 0, column < width)
        return tirx.if_then_else(there, found, tirx.const(zero, data.dtype))

    def total(n: Expr, h: Expr, w: Expr, c: Expr) -> Expr:
        own = [n // (batch // planes[0])] if planes else []
        place = [*own, *outside(h)]

        def product(tap: Expr) -> Expr:
            value = code(n, h, w, c, tap).astype("int16")
            return value * weight(*place, c // lanes, tap, c % lanes).astype("int16")

        added = product(runs * run)
        for tap in range(1, run):
            more = product(runs * run + tap)
            if taps % run and tap >= taps % run:
                # The last run is shorter.
                more = tirx.if_then_else(runs * run + tap < taps, more, tirx.const(0, "int16"))
            added = added + more
        start = tirx.if_then_else(runs < 1, sums(*place, c), tirx.const(0, "int32"))
        return te.sum(added.astype("int32") + start, axis=runs)

    return te.compute((batch, *size, blocks * lanes), total, name="depthwise")
