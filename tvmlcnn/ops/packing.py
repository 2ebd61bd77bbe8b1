"""Weights in the order in which kernels read them."""

from __future__ import annotations

import numpy as np

from .tile import Tile


def pack(weight: np.ndarray, tile: Tile, products: int = 1, paired: bool = False) -> np.ndarray:
    """Pack weights in the order in which a kernel reads them.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (..., inner, outer): HWIO of a convolution, or a matrix.
    tile : Tile
    products : int
        Inner channels that an instruction multiplies at a time; a divisor of their number.
    paired : bool
        Whether it takes them two by two.

    Returns
    -------
    numpy.ndarray
        Shape (blocks, ..., inner, channels of the tile); with several products (blocks, ...,
        inner / products, channels of the tile, products), in pairs (blocks, ..., inner / products,
        vectors, products / 2, lanes, 2). The last block is filled up with zeros.
    """
    *kernel, outer = weight.shape
    if products == 1 and str(weight.dtype) == "bfloat16":
        weight = weight.astype(np.float32)
    blocks = -(-outer // tile.channels)
    whole = np.zeros((*kernel, blocks * tile.channels), weight.dtype)
    whole[..., :outer] = weight
    if products == 1:
        return np.moveaxis(whole.reshape(*kernel, blocks, tile.channels), -2, 0)
    *taps, inner = kernel
    split = whole.reshape(*taps, inner // products, products, blocks, tile.channels)
    packed = np.moveaxis(np.moveaxis(split, -2, 0), -2, -1)
    if not paired:
        return packed
    pairs = packed.reshape(*packed.shape[:-2], tile.vectors, tile.lanes, products // 2, 2)
    return np.moveaxis(pairs, -2, -3)
