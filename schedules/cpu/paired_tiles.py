"""Tiles of dense convolutions and products whose codes are added in pairs."""

from __future__ import annotations

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Core

from .tiles import MOST_ROWS, MOST_VECTORS, filled, on_stack, ranked

# Instructions: that add two pairs of products to a vector of sums; that store a vector of codes,
# which is converted, scaled, rounded and narrowed.
_PRODUCTS, _STORE = 3, 6


def paired_tiles(rows: int, loads: int, channels: int, codes: int, core: Core) -> list[Tile]:
    """Return tiles, those of the fewest instructions first.

    Parameters
    ----------
    rows, channels : int
        Of the product.
    loads : int
        Steps of the reduction.
    codes : int
        Of a pixel, that a step multiplies.
    core : Core
    """
    rounds = codes // core.lanes
    # Where a vector has all of them, a rotation serves both halves of it; a load may fill it.
    turns = 1 + (rounds - 1 if codes == core.elements else codes // 2 - 1)

    def registers(tile: Tile) -> int:
        values = tile.pixels * min(rounds, 2)
        return tile.pixels * tile.vectors + values + core.arithmetic.multiply_add.scratch

    def instructions(tile: Tile) -> float:
        """Return how many are executed for a vector of sums."""
        sums = tile.pixels * tile.vectors
        step = rounds * (_PRODUCTS * sums + tile.vectors) + turns * tile.pixels
        return (loads * step + core.costs.tile) / sums + _STORE

    return ranked(
        (
            tile
            for vectors in range(1, MOST_VECTORS + 1)
            for pixels in range(1, MOST_ROWS + 1)
            if channels % core.lanes == 0
            and registers(tile := Tile(pixels, vectors, core.lanes)) <= core.free_registers
            and on_stack(tile, core)
        ),
        lambda tile: (
            filled(rows, tile.pixels) * filled(channels, tile.channels) / instructions(tile)
        ),
        lambda tile: tile.pixels * tile.channels,
    )
