"""Convolutions of channels in groups, over channels-last data, with packed weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from tvm import te, tirx, topi

from .convolution import Tile, encoded, output_size


def diagonals(weight: np.ndarray, lanes: int) -> np.ndarray:
    """Pack square groups' weights by their diagonals, for vectors of several groups.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (KH, KW, size, groups * size).
    lanes : int
        A multiple of ``size`` that divides the channels.

    Returns
    -------
    numpy.ndarray
        Shape (blocks, KH, KW, size, lanes); [..., r, i] holds for the input channel i of its
        group the weight of the output channel i + r, modulo ``size``.
    """
    rows, columns, size, channels = weight.shape
    groups = weight.reshape(rows, columns, size, channels // size, size)
    inner = np.arange(size)
    turned = [groups[:, :, inner, :, (inner + r) % size] for r in range(size)]
    # Indexing with arrays puts their axis first: (size of r, i, KH, KW, groups).
    ordered = np.stack(turned).transpose(2, 3, 0, 4, 1)
    split = ordered.reshape(rows, columns, size, channels // lanes, lanes)
    return np.moveaxis(split, 3, 0)


def grouped_diagonals(
    data: te.Tensor,
    weight: te.Tensor,
    strides: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    tile: Tile,
) -> te.Tensor:
    """Return the convolution of NHWC data in groups smaller than a vector.

    A vector of inputs is multiplied as it lies in memory, once for each diagonal of the groups'
    matrices; only the sums are turned, by one place within each group for each diagonal, before
    they are added up. Broadcasting each input to its group's lanes would take a shuffle for every
    multiply-add.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, channels).
    weight : te.Tensor
        From `diagonals`: shape (blocks, KH, KW, size, lanes).
    strides, dilation : sequence of int
        Of height and width.
    padding : sequence of int
        Top, left, bottom, right.
    tile : Tile
        Of one vector.

    Returns
    -------
    te.Tensor
        Shape (N, H', W', channels).
    """
    batch, _, _, channels = (int(n) for n in data.shape)
    _, rows, columns, size, lanes = (int(n) for n in weight.shape)
    window = (rows, columns)
    padded, out_height, out_width, computed = _whole_tiles(
        data, window, strides, padding, dilation, tile
    )
    ry, rx = te.reduce_axis((0, rows), "ry"), te.reduce_axis((0, columns), "rx")
    # Groups and their channels are two axes, so that a tile holds whole groups.
    sums = te.compute(
        (batch, out_height, computed, size, channels // size, size),
        lambda n, h, w, r, g, i: te.sum(
            padded[
                n,
                h * strides[0] + ry * dilation[0],
                w * strides[1] + rx * dilation[1],
                g * size + i,
            ]
            * weight[g // (lanes // size), ry, rx, r, g % (lanes // size) * size + i],
            axis=[ry, rx],
        ),
        name="grouped_diagonals",
        attrs={"tvmlcnn.tile": encoded(tile), "tvmlcnn.outer": size},
    )

    def turned(n: tirx.Var, h: tirx.Var, w: tirx.Var, c: tirx.Var) -> tirx.PrimExpr:
        terms = [sums[n, h, w, r, c // size, (c % size - r + size) % size] for r in range(size)]
        return sum(terms[1:], terms[0])

    return te.compute((batch, out_height, out_width, channels), turned, name="turn")


def grouped(
    data: te.Tensor,
    weight: te.Tensor,
    channels: int,
    groups: int,
    strides: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    tile: Tile,
) -> te.Tensor:
    """Return the convolution of NHWC data, each group of channels by its own weights.

    A vector of outputs may lie in more than one group: then its input is put together from one
    value of each.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, groups * inner).
    weight : te.Tensor
        From `pack`: shape (blocks, KH, KW, inner, channels of the tile), whose blocks have
        ``channels``.
    channels : int
    groups : int
    strides, dilation : sequence of int
        Of height and width.
    padding : sequence of int
        Top, left, bottom, right.
    tile : Tile
        From `tiles.grouped_tile`.

    Returns
    -------
    te.Tensor
        Shape (N, H', W', channels).
    """
    batch, height, width, _ = (int(n) for n in data.shape)
    _, rows, columns, inner, wide = (int(n) for n in weight.shape)
    window, outer = (rows, columns), channels // groups
    pointwise = batch == 1 and window == (1, 1) and list(strides) == [1, 1] and not any(padding)
    ry, rx = te.reduce_axis((0, rows), "ry"), te.reduce_axis((0, columns), "rx")
    rc = te.reduce_axis((0, inner), "rc")
    period = alignment(outer, tile.lanes)
    most = max((v + tile.lanes - 1) // outer - v // outer for v in range(0, period, tile.lanes))

    def product(c: tirx.PrimExpr, pixel: Callable[[tirx.PrimExpr], tirx.PrimExpr]) -> tirx.PrimExpr:
        start = c // tile.lanes * tile.lanes
        inside = c % period
        last = (start + tile.lanes - 1) // outer
        value = pixel(last * inner + rc)
        # Of what is in the condition only the lane is not known when the kernel is compiled.
        for other in reversed(range(most)):
            mine = inside // outer <= inside // tile.lanes * tile.lanes // outer + other
            value = tirx.Select(
                mine, pixel(tirx.min(start // outer + other, last) * inner + rc), value
            )
        return te.sum(
            value * weight[c // wide, ry, rx, rc, c % wide],
            axis=[ry, rc, rx],
        )

    attrs = {"tvmlcnn.tile": encoded(tile), "tvmlcnn.outer": outer}
    if pointwise:
        size = height * width
        computed = -(-size // tile.pixels) * tile.pixels

        def row(m: tirx.PrimExpr) -> Callable[[tirx.PrimExpr], tirx.PrimExpr]:
            m = m if computed == size else tirx.min(m, size - 1)
            return lambda c: data[0, m // width, m % width, c]

        result = te.compute(
            (computed, channels),
            lambda m, c: product(c, row(m)),
            name="grouped",
            attrs=attrs,
        )
        return te.compute(
            (1, height, width, channels), lambda n, h, w, c: result[h * width + w, c], name="store"
        )
    padded, out_height, out_width, computed = _whole_tiles(
        data, window, strides, padding, dilation, tile
    )
    result = te.compute(
        (batch, out_height, computed, channels),
        lambda n, h, w, c: product(
            c,
            lambda channel: padded[
                n, h * strides[0] + ry * dilation[0], w * strides[1] + rx * dilation[1], channel
            ],
        ),
        name="grouped",
        attrs=attrs,
    )
    return te.compute(
        (batch, out_height, out_width, channels),
        lambda n, h, w, c: result[n, h, w, c],
        name="store",
    )


def _whole_tiles(
    data: te.Tensor,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    tile: Tile,
) -> tuple[te.Tensor, int, int, int]:
    """Return padded data, the output's height and width, and the width of whole tiles."""
    _, height, width, _ = (int(n) for n in data.shape)
    top, left, bottom, right = padding
    size = (height + top + bottom, width + left + right)
    out_height, out_width = output_size(size, window, strides, dilation)
    # Whole tiles of a row are computed: what is past its end reads zeros and is not stored.
    computed = -(-out_width // tile.pixels) * tile.pixels
    right += max(0, (computed - 1) * strides[1] + (window[1] - 1) * dilation[1] + 1 - size[1])
    padded = data
    if top or left or bottom or right:
        padded = topi.nn.pad(data, (0, top, left, 0), (0, bottom, right, 0), name="pad")
    return padded, out_height, out_width, computed


def alignment(outer: int, lanes: int) -> int:
    """Return after how many channels groups and vectors lie to each other as at the start."""
    return lanes if outer % lanes == 0 else math.lcm(outer, lanes)
