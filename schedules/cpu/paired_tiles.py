"""Tiles of dense convolutions and products whose codes are added in pairs."""

from __future__ import annotations

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Core, MultiplyAdd

from .tiles import MOST_ROWS, MOST_VECTORS, filled, on_stack, ranked

# Instructions that load two vectors of weights.
_LOAD = 1
# That make codes of a vector of sums, which is converted, scaled, rounded, narrowed and stored, by
# how many become codes together; of four or more.
_STORE, _STORE_MANY = {1: 9.0, 2: 6.25}, 6.0
# By the codes of a step: the share of the registers that sums, codes and what they are rotated to
# may have. LLVM begins the next products in the meantime where few come of a step. Chosen, as the
# cores' scratch registers were, by reading the code for tiles of all sizes.
_SHARE = {4: 0.75, 8: 0.92, 16: 1}
# Registers for the codes of one pixel, as they are and rotated.
_PIXEL = 4


def paired_tiles(
    rows: int, steps: int, channels: int, instruction: MultiplyAdd, core: Core
) -> list[Tile]:
    """Return tiles, those of the fewest instructions first.

    Parameters
    ----------
    rows, channels : int
        Of the product.
    steps : int
        Of the reduction.
    instruction : MultiplyAdd
        Its products are the codes of a pixel that a step multiplies.
    core : Core
    """
    codes, rounds = instruction.products, _rounds(instruction, core)
    free = core.vector_registers - core.arithmetic.multiply_add.scratch

    def fits(tile: Tile) -> bool:
        sums = tile.pixels * tile.vectors
        codes_held = tile.pixels * min(rounds, 1 + instruction.paired // 2)
        if steps == 1:
            # The weights, scales and biases are the same for all pixels, which come one by one.
            codes_held = _PIXEL + (rounds + 2) * tile.vectors
        return sums + codes_held <= free * _SHARE[codes] and on_stack(tile, core)

    tiles = (
        Tile(pixels, vectors, core.lanes)
        for vectors in range(1, MOST_VECTORS + 1)
        for pixels in range(min(rows, core.costs.paired_pixels), min(rows, MOST_ROWS) + 1)
        if channels % core.lanes == 0
    )
    return ranked(
        [tile for tile in tiles if fits(tile)] or [Tile(1, 1, core.lanes)],
        lambda tile: (
            filled(rows, tile.pixels)
            * filled(channels, tile.channels)
            / instructions_of_sums(tile, steps, instruction, core)
        ),
        lambda tile: tile.pixels * tile.channels,
    )


def instructions_of_sums(tile: Tile, steps: int, instruction: MultiplyAdd, core: Core) -> float:
    """Return how many instructions are executed for a vector of a tile's sums.

    Parameters
    ----------
    tile : Tile
    steps : int
        Of the reduction.
    instruction : MultiplyAdd
        Its products are the codes of a pixel that a step multiplies.
    core : Core
    """
    sums, rounds = tile.pixels * tile.vectors, _rounds(instruction, core)
    # Two multiply as many codes as lanes, and one adds what several rounds did.
    products = 2 + 2 / instruction.paired
    # Where codes fill a vector a rotation serves both of its halves.
    turns = rounds if instruction.products == core.elements else instruction.products // 2
    weights = 0 if steps == 1 else rounds * tile.vectors / 2 * _LOAD
    step = products * rounds * sums + weights + turns * tile.pixels
    store = _STORE.get(tile.vectors, _STORE_MANY)
    return (steps * step + core.costs.tile) / sums + store


def _rounds(instruction: MultiplyAdd, core: Core) -> int:
    """Return how many times as many codes as lanes a step multiplies."""
    return instruction.products // core.lanes
