"""Convolutions and matrix products over channels-last data, with packed weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tvm import te, tirx, topi

from .tile import Tile


@dataclass(frozen=True)
class Window:
    """How a convolution walks over its input: (height, width) each, but the padding.

    Attributes
    ----------
    strides, dilation : tuple of int
    padding : tuple of int
        Top, left, bottom, right.
    """

    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def padded(self, data: te.Tensor) -> te.Tensor:
        """Return NHWC data with zeros around its maps."""
        top, left, bottom, right = self.padding
        if not any(self.padding):
            return data
        return topi.nn.pad(data, (0, top, left, 0), (0, bottom, right, 0), name="pad")

    def output(self, size: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """Return height and width of the output for a padded input of ``size``."""
        return [
            (n - (taps - 1) * spread - 1) // step + 1
            for n, taps, step, spread in zip(
                size, kernel, self.strides, self.dilation, strict=True
            )
        ]

    def read(
        self, padded: te.Tensor, pixel: Sequence[tirx.PrimExpr], tap: Sequence[tirx.PrimExpr]
    ) -> list[tirx.PrimExpr]:
        """Return where in the padded data a tap of a kernel lies for a pixel (n, h, w)."""
        batch, *place = pixel
        return [
            batch,
            *(
                at * step + offset * spread
                for at, offset, step, spread in zip(
                    place, tap, self.strides, self.dilation, strict=True
                )
            ),
        ]


def pack(weight: np.ndarray, tile: Tile) -> np.ndarray:
    """Pack weights in the order in which a kernel reads them.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (..., inner, outer): HWIO of a convolution, or a matrix.
    tile : Tile

    Returns
    -------
    numpy.ndarray
        Shape (blocks, ..., inner, channels of the tile); the last block is filled up with zeros.
    """
    *kernel, outer = weight.shape
    blocks = -(-outer // tile.channels)
    whole = np.zeros((*kernel, blocks * tile.channels), weight.dtype)
    whole[..., :outer] = weight
    split = whole.reshape(*kernel, blocks, tile.channels)
    return np.moveaxis(split, -2, 0)


def dense(
    data: te.Tensor, weight: te.Tensor, channels: int, window: Window, tile: Tile
) -> te.Tensor:
    """Return a convolution, or a product with a matrix, with weights from `pack`.

    The pixels of all maps are the rows of one matrix, cut into tiles without regard to where a
    row of a map ends: no width is odd.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, K), or (M, K) for a product with a matrix.
    weight : te.Tensor
        Shape (blocks, rows, columns, K, channels of the tile), or (blocks, K, channels of the
        tile) of a pointwise convolution or a matrix.
    channels : int
        Channels of the result.
    window : Window
    tile : Tile

    Returns
    -------
    te.Tensor
        Shape (N, H', W', channels) or (M, channels).
    """
    padded = window.padded(data) if len(data.shape) == 4 else data
    *shape, inner = (int(n) for n in padded.shape)
    blocks, *kernel, _, wide = (int(n) for n in weight.shape)
    if len(shape) == 3:
        shape[1:] = window.output(shape[1:], kernel or (1, 1))
    rows = math.prod(shape)
    # Whole tiles are computed: rows past the end repeat the last one, and are not stored.
    computed = -(-rows // tile.pixels) * tile.pixels
    taps = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate(kernel)]
    rc = te.reduce_axis((0, inner), "rc")

    def read(row: tirx.PrimExpr) -> list[tirx.PrimExpr]:
        row = row if computed == rows else tirx.min(row, rows - 1)
        if len(shape) == 1:
            return [row]
        pixel = [row // (shape[1] * shape[2]), row // shape[2] % shape[1], row % shape[2]]
        return window.read(padded, pixel, taps or [0, 0])

    product = te.compute(
        (computed, blocks * wide),
        lambda m, c: te.sum(
            padded(*read(m), rc) * weight(c // wide, *taps, rc, c % wide), axis=[*taps, rc]
        ),
        name="dense",
        attrs=tile.attrs,
    )
    if len(shape) == 1:
        return te.compute((*shape, channels), lambda m, c: product[m, c], name="store")
    return te.compute(
        (*shape, channels),
        lambda n, h, w, c: product[(n * shape[1] + h) * shape[2] + w, c],
        name="store",
    )


def depthwise(data: te.Tensor, weight: te.Tensor, window: Window, tile: Tile) -> te.Tensor:
    """Return the depthwise convolution of NHWC data with (H, W, C) weights."""
    padded = window.padded(data)
    batch, height, width, channels = (int(n) for n in padded.shape)
    kernel = [int(n) for n in weight.shape[:2]]
    taps = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate(kernel)]
    return te.compute(
        (batch, *window.output((height, width), kernel), channels),
        lambda n, h, w, c: te.sum(
            padded(*window.read(padded, (n, h, w), taps), c) * weight(*taps, c), axis=taps
        ),
        name="depthwise",
        attrs=tile.attrs,
    )
