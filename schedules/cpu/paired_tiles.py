"""Tiles of dense convolutions and products whose codes are added in pairs."""

from __future__ import annotations

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Core

from .tiles import MOST_ROWS, MOST_VECTORS, filled, on_stack, ranked

# Instructions that add two pairs of products to a vector of sums, load two vectors of weights, and
# make codes of a vector of sums, which is converted, scaled, rounded, narrowed and stored.
_PRODUCTS, _LOAD, _STORE = 3, 1, 6
# By the codes of a step: registers beside the sums, the codes and what they are rotated to. LLVM
# begins the next products in the meantime where few come of a step. Chosen by reading the code for
# a Cortex-A72, A53 and A7, of tiles of all sizes.
_SCRATCH = {4: 11, 8: 6, 16: 5}


def paired_tiles(rows: int, steps: int, channels: int, codes: int, core: Core) -> list[Tile]:
    """Return tiles, those of the fewest instructions first.

    Parameters
    ----------
    rows, channels : int
        Of the product.
    steps : int
        Of the reduction.
    codes : int
        Of a pixel, that a step multiplies.
    core : Core
    """
    rounds = codes // core.lanes
    # Where codes fill a vector a rotation serves both of its halves.
    turns = rounds if codes == core.elements else codes // 2

    def registers(tile: Tile) -> int:
        held = tile.pixels * (tile.vectors + min(rounds, 2)) + _SCRATCH[codes]
        # Of a single step the weights, scales and biases are the same for all pixels.
        return held + (rounds + 2) * tile.vectors if steps == 1 else held

    def instructions(tile: Tile) -> float:
        """Return how many are executed for a vector of sums."""
        sums = tile.pixels * tile.vectors
        weights = 0 if steps == 1 else rounds * tile.vectors / 2 * _LOAD
        step = _PRODUCTS * rounds * sums + weights + turns * tile.pixels
        return (steps * step + core.costs.tile) / sums + _STORE

    tiles = (
        Tile(pixels, vectors, core.lanes)
        for vectors in range(1, MOST_VECTORS + 1)
        for pixels in range(1, min(rows, MOST_ROWS) + 1)
        if channels % core.lanes == 0
    )
    fitting = [t for t in tiles if registers(t) <= core.free_registers and on_stack(t, core)]
    return ranked(
        fitting or [Tile(1, 1, core.lanes)],
        lambda tile: (
            filled(rows, tile.pixels) * filled(channels, tile.channels) / instructions(tile)
        ),
        lambda tile: tile.pixels * tile.channels,
    )
