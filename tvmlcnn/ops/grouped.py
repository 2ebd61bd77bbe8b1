"""Convolutions of channels in groups, over channels-last data, with packed weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr

from .convolution import Window, product
from .tile import Tile


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
    window: Window,
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
    window : Window
    tile : Tile
        Of one vector.

    Returns
    -------
    te.Tensor
        Shape (N, H', W', channels).
    """
    batch, _, _, channels = (int(n) for n in data.shape)
    _, rows, columns, size, lanes = (int(n) for n in weight.shape)
    padded, out_height, out_width, computed = _whole_tiles(data, (rows, columns), window, tile)
    ry, rx = te.reduce_axis((0, rows), "ry"), te.reduce_axis((0, columns), "rx")
    # Groups and their channels are two axes, so that a tile holds whole groups.
    sums = te.compute(
        (batch, out_height, computed, size, channels // size, size),
        lambda n, h, w, r, g, i: te.sum(
            product(
                padded(*window.read((n, h, w), (ry, rx)), g * size + i),
                weight(g // (lanes // size), ry, rx, r, g % (lanes // size) * size + i),
            ),
            axis=[ry, rx],
        ),
        name="grouped_diagonals",
    )

    def turned(n: tirx.Var, h: tirx.Var, w: tirx.Var, c: tirx.Var) -> Expr:
        terms = [sums[n, h, w, r, c // size, (c % size - r + size) % size] for r in range(size)]
        return sum(terms[1:], terms[0])

    return te.compute((batch, out_height, out_width, channels), turned, name="turn")


def grouped(
    data: te.Tensor,
    weight: te.Tensor,
    channels: int,
    groups: int,
    window: Window,
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
    window : Window
    tile : Tile
        From `tiles.grouped_tile`.

    Returns
    -------
    te.Tensor
        Shape (N, H', W', channels).
    """
    batch, height, width, _ = (int(n) for n in data.shape)
    _, rows, columns, inner, wide = (int(n) for n in weight.shape)
    outer = channels // groups
    pointwise = batch == 1 and (rows, columns) == (1, 1) and window == Window()
    ry, rx = te.reduce_axis((0, rows), "ry"), te.reduce_axis((0, columns), "rx")
    rc = te.reduce_axis((0, inner), "rc")
    period = alignment(outer, tile.lanes)
    most = max((v + tile.lanes - 1) // outer - v // outer for v in range(0, period, tile.lanes))

    def total(c: Expr, pixel: Callable[[Expr], Expr]) -> Expr:
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
            product(value, weight(c // wide, ry, rx, rc, c % wide)),
            axis=[ry, rc, rx],
        )

    if pointwise:
        size = height * width
        computed = -(-size // tile.pixels) * tile.pixels

        def row(m: Expr) -> Callable[[Expr], Expr]:
            m = m if computed == size else tirx.min(m, size - 1)
            return lambda c: data(0, m // width, m % width, c)

        result = te.compute(
            (computed, channels),
            lambda m, c: total(c, row(m)),
            name="grouped",
        )
        return te.compute(
            (1, height, width, channels), lambda n, h, w, c: result[h * width + w, c], name="store"
        )
    padded, out_height, out_width, computed = _whole_tiles(data, (rows, columns), window, tile)
    result = te.compute(
        (batch, out_height, computed, channels),
        lambda n, h, w, c: total(
            c,
            lambda channel: padded(*window.read((n, h, w), (ry, rx)), channel),
        ),
        name="grouped",
    )
    return te.compute(
        (batch, out_height, out_width, channels),
        lambda n, h, w, c: result[n, h, w, c],
        name="store",
    )


def _whole_tiles(
    data: te.Tensor, kernel: Sequence[int], window: Window, tile: Tile
) -> tuple[te.Tensor, int, int, int]:
    """Return padded data, the output's height and width, and the width of whole tiles."""
    _, height, width, _ = (int(n) for n in data.shape)
    top, left, bottom, right = window.padding
    size = (height + top + bottom, width + left + right)
    out_height, out_width = window.output(size, kernel)
    # Whole tiles of a row are computed: what is past its end reads zeros and is not stored.
    computed = -(-out_width // tile.pixels) * tile.pixels
    needed = (computed - 1) * window.strides[1] + (kernel[1] - 1) * window.dilation[1] + 1
    right += max(0, needed - size[1])
    whole = replace(window, padding=(top, left, bottom, right))
    return whole.padded(data), out_height, out_width, computed


def alignment(outer: int, lanes: int) -> int:
    """Return after how many channels groups and vectors lie to each other as at the start."""
    return lanes if outer % lanes == 0 else math.lcm(outer, lanes)
