"""Weights in the order in which kernels read them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .tile import Tile


def pack(weight: np.ndarray, tile: Tile, products: int = 1, paired: int = 0) -> np.ndarray:
    """Pack weights in the order in which a kernel reads them.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (..., inner, outer): HWIO of a convolution, or a matrix.
    tile : Tile
    products : int
        Inner channels that an instruction multiplies at a time; a divisor of their number.
    paired : int
        So many products are added up before they are added to sums: 2, 4 or 8, where it takes them
        two by two, and several are 4, 8 or 16; else 0.

    Returns
    -------
    numpy.ndarray
        Shape (blocks, ..., inner, channels of the tile); with several products (blocks, ...,
        inner / products, channels of the tile, products), in pairs (blocks, ..., inner / products,
        products / 2 / paired, vectors, paired, lanes, 2), as `place_of_pairs` says. The last block
        is filled up with zeros.
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
    lane, one = np.indices((tile.channels, products))
    pairs = np.empty(
        (*packed.shape[:-2], products // 2 // paired, tile.vectors, paired, tile.lanes, 2),
        packed.dtype,
    )
    place = (..., *place_of_pairs(lane, one, products, tile.lanes, paired))
    pairs[place] = packed
    return pairs


def place_of_pairs(
    channel: Any, one: Any, products: int, lanes: int, paired: int = 2
) -> tuple[Any, ...]:
    """Return where the weight of a tile's channel is for one of so many codes.

    Codes lie in pairs. In the first of ``products / 2`` turns, lane 0 multiplies the first pair,
    lane 1 the second one, and so on; in each turn after it every lane takes the pair after its
    last one, and after the last pair the first. Each round has one turn of the first half of
    them and one of the second, or several of each, one after the other, whose products are added
    up.

    Returns
    -------
    tuple
        The indices: round, vector, turn of the round, lane, one of a pair.
    """
    pairs, rounds, lane = products // 2, products // 4, channel % lanes
    turn = (one // 2 + (pairs * lanes - lane)) % pairs
    of_half, half, turns = turn % rounds, turn // rounds, paired // 2
    return (
        *(of_half // turns, channel // lanes, of_half % turns * 2 + half),
        *(lane, one % 2),
    )
