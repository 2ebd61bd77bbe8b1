"""Convolutions and matrix products over channels-last data, with packed weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from tvm import te, tirx, topi


@dataclass(frozen=True)
class Tile:
    """The outputs that are accumulated in registers at a time.

    Attributes
    ----------
    pixels : int
        Rows of the tile: pixels of a map, or rows of a matrix.
    vectors : int
        Vectors of channels a row.
    lanes : int
        float32 a vector.
    """

    pixels: int
    vectors: int
    lanes: int

    @property
    def channels(self) -> int:
        """Channels of the tile."""
        return self.vectors * self.lanes


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
    *window, outer = weight.shape
    blocks = -(-outer // tile.channels)
    whole = np.zeros((*window, blocks * tile.channels), weight.dtype)
    whole[..., :outer] = weight
    split = whole.reshape(*window, blocks, tile.channels)
    return np.moveaxis(split, -2, 0)


def _padded(data: te.Tensor, padding: Sequence[int]) -> te.Tensor:
    top, left, bottom, right = padding
    if not any(padding):
        return data
    return topi.nn.pad(data, (0, top, left, 0), (0, bottom, right, 0), name="pad")


def output_size(
    size: Sequence[int], window: Sequence[int], strides: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """Return height and width of the output for a padded input of ``size``."""
    return [
        (n - (taps - 1) * spread - 1) // step + 1
        for n, taps, step, spread in zip(size, window, strides, dilation, strict=True)
    ]


def matrix(data: te.Tensor, weight: te.Tensor, channels: int, tile: Tile) -> te.Tensor:
    """Return the product of a matrix with weights from `pack`.

    Parameters
    ----------
    data : te.Tensor
        Shape (M, K), or (1, H, W, K) of a pointwise convolution, whose pixels are the rows.
    weight : te.Tensor
    channels : int
        Columns of the result.
    tile : Tile

    Returns
    -------
    te.Tensor
        Shape (M, channels) or (1, H, W, channels).
    """
    *shape, inner = (int(n) for n in data.shape)
    rows, wide = math.prod(shape), int(weight.shape[2])
    # Whole tiles are computed: rows past the end repeat the last one, and are not stored.
    computed = -(-rows // tile.pixels) * tile.pixels
    rc = te.reduce_axis((0, inner), "rc")

    def row(index: tirx.PrimExpr) -> list[tirx.PrimExpr]:
        index = index if computed == rows else tirx.min(index, rows - 1)
        return [index] if len(shape) == 1 else [0, index // shape[-1], index % shape[-1]]

    product = te.compute(
        (computed, int(weight.shape[0]) * wide),
        lambda m, c: te.sum(data(*row(m), rc) * weight[c // wide, rc, c % wide], axis=rc),
        name="matrix",
        attrs={"tvmlcnn.tile": encoded(tile)},
    )
    if len(shape) == 1:
        return te.compute((*shape, channels), lambda m, c: product[m, c], name="store")
    return te.compute(
        (*shape, channels), lambda n, h, w, c: product[h * shape[-1] + w, c], name="store"
    )


def dense(
    data: te.Tensor,
    weight: te.Tensor,
    channels: int,
    strides: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    tile: Tile,
) -> te.Tensor:
    """Return the convolution of NHWC data with weights from `pack`, ``channels`` of them."""
    padded = _padded(data, padding)
    batch, height, width, inner = (int(n) for n in padded.shape)
    blocks, rows, columns, _, wide = (int(n) for n in weight.shape)
    out_height, out_width = output_size((height, width), (rows, columns), strides, dilation)
    ry, rx = te.reduce_axis((0, rows), "ry"), te.reduce_axis((0, columns), "rx")
    rc = te.reduce_axis((0, inner), "rc")
    result = te.compute(
        (batch, out_height, out_width, blocks * wide),
        lambda n, h, w, c: te.sum(
            padded[n, h * strides[0] + ry * dilation[0], w * strides[1] + rx * dilation[1], rc]
            * weight[c // wide, ry, rx, rc, c % wide],
            axis=[ry, rx, rc],
        ),
        name="dense",
        attrs={"tvmlcnn.tile": encoded(tile)},
    )
    return te.compute(
        (batch, out_height, out_width, channels),
        lambda n, h, w, c: result[n, h, w, c],
        name="store",
    )


def depthwise(
    data: te.Tensor,
    weight: te.Tensor,
    strides: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    tile: Tile,
) -> te.Tensor:
    """Return the depthwise convolution of NHWC data with (H, W, C) weights."""
    padded = _padded(data, padding)
    batch, height, width, channels = (int(n) for n in padded.shape)
    rows, columns, _ = (int(n) for n in weight.shape)
    out_height, out_width = output_size((height, width), (rows, columns), strides, dilation)
    ry, rx = te.reduce_axis((0, rows), "ry"), te.reduce_axis((0, columns), "rx")
    return te.compute(
        (batch, out_height, out_width, channels),
        lambda n, h, w, c: te.sum(
            padded[n, h * strides[0] + ry * dilation[0], w * strides[1] + rx * dilation[1], c]
            * weight[ry, rx, c],
            axis=[ry, rx],
        ),
        name="depthwise",
        attrs={"tvmlcnn.tile": encoded(tile)},
    )


def encoded(tile: Tile) -> list[tirx.IntImm]:
    """Return the tile as an annotation of its block."""
    return [tirx.IntImm("int32", size) for size in asdict(tile).values()]
