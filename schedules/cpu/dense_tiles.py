"""Tiles of dense convolutions and products, and how many of them share their weights."""

from __future__ import annotations

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Core

from .tiles import candidates, efficiency, filled, ranked

# Instructions by which a row's address is held back at the last one.
_PAST_THE_END = 8
# Registers for what LLVM loads ahead, and the sums of chunks, where chunks are added to those.
_OF_CHUNKS = 4
# Scales and constants of a vector of sums that become codes.
_OF_CODES = 2


def dense_tiles(
    rows: int,
    depth: int,
    channels: int,
    core: Core,
    width: int | None = None,
    one_step: bool = False,
    steps: float = 1,
    chunked: bool = False,
) -> list[Tile]:
    """Return tiles of a matrix product, best first; rows and blocks of channels may not divide it.

    Parameters
    ----------
    rows, channels : int
        Of the product.
    depth : int
        Length of the reduction.
    core : Core
    width : int, optional
        Pixels of a row of the map, where a tile has to know in which row each of its pixels is.
    one_step : bool
        Whether a tap is one step of the reduction: LLVM unrolls a row of them, and holds what
        neighbours read beside the sums, which half the registers are left for.
    steps : float
        Of the reduction that one load brings the values of.
    chunked : bool
        Whether chunks of the reduction are summed up by themselves.
    """
    costs = core.costs

    most = core.vector_registers // 2 if one_step else core.vector_registers

    # Codes of the same channels that one load brings are multiplied by weights that stay, with what
    # makes codes of the sums, in registers from tile to tile; half of these are left for the sums.
    stay = depth + _OF_CODES if core.arithmetic.multiply_add.products > 1 and depth <= steps else 0

    def spills(tile: Tile) -> bool:
        held = tile.pixels * tile.vectors + tile.pixels + tile.vectors
        return chunked and held + _OF_CHUNKS > core.vector_registers

    def places(tile: Tile) -> int:
        return 0 if width is None or width % tile.pixels == 0 else tile.pixels * costs.place

    def addresses(tile: Tile) -> int:
        # Rows past the end are the last one again: not as far from it as the others.
        regular = rows % tile.pixels == 0 and not places(tile)
        return 1 if regular else tile.pixels

    def once(tile: Tile) -> float:
        past = tile.pixels if rows % tile.pixels else 0
        return places(tile) + past * _PAST_THE_END * core.arithmetic.load

    return ranked(
        (
            tile
            for tile in candidates(channels, core, steps)
            if addresses(tile) <= costs.addresses
            and tile.pixels * tile.vectors <= most
            and not spills(tile)
            and stay * tile.vectors <= core.vector_registers // 2
        ),
        lambda tile: (
            efficiency(tile, depth, core, once(tile), steps)
            * filled(rows, tile.pixels)
            * filled(channels, tile.channels)
        ),
        lambda tile: tile.pixels * tile.channels,
    )


def tiles_in_a_row(tiles: int, blocks: int, size: int, core: Core) -> int:
    """Return how many tiles of pixels use a block of weights before the next one comes.

    Parameters
    ----------
    tiles, blocks : int
        Tiles of pixels, and blocks of channels, of the whole output.
    size : int
        Bytes that a tile reads: those of all tiles in a row shall stay in half the second cache.
    core : Core
    """
    most = max(1, core.second_cache // 2 // size)
    fewest = -(-tiles // most)

    def cost(groups: int) -> float:
        near, pieces = -(-tiles // groups), groups * blocks
        imbalance = -(-pieces // core.count) * core.count / pieces
        # Each piece starts with weights that are not in the first cache.
        return groups * near / tiles * imbalance * (1 + core.costs.miss / near)

    groups = min(range(fewest, min(tiles, fewest + 8 * core.count) + 1), key=cost)
    return -(-tiles // groups)
