"""Tiles of convolutions in groups, which vectors and groups together decide about."""

from __future__ import annotations

from collections.abc import Iterator

from tvmlcnn.ops import Tile
from tvmlcnn.ops.grouped import alignment
from tvmlcnn.targets import Core

from .tiles import MOST_ROWS, filled, multiply_adds, on_stack, ranked


def grouped_tiles(width: int, taps: int, channels: int, groups: int, core: Core) -> list[Tile]:
    """Return tiles of a grouped convolution, best first, for `tvmlcnn.ops.grouped`.

    Parameters
    ----------
    width : int
        Pixels of a row of output; of the whole map for a pointwise convolution.
    taps : int
        Of the kernel.
    channels : int
        Of the output.
    groups : int
    core : Core

    Returns
    -------
    list of Tile
        Tiles repeat themselves within a period of channels, after which groups and vectors lie
        to each other as at the start; none where no period divides the channels.
    """
    return ranked(
        _tiles(taps, channels, groups, core),
        lambda tile: round(
            _efficiency(tile, channels // groups, core) * filled(width, tile.pixels), 2
        ),
        lambda tile: -tile.pixels * tile.channels,
    )


def _tiles(taps: int, channels: int, groups: int, core: Core) -> Iterator[Tile]:
    outer = channels // groups
    for lanes in core.vectors():
        if channels % alignment(outer, lanes):
            continue
        # Where groups are whole vectors a tile stays in one group, else in a period.
        period = (outer if outer % lanes == 0 else alignment(outer, lanes)) // lanes
        if outer % lanes and period > core.costs.unrolled_vectors:
            continue
        for vectors in range(1, period + 1):
            for pixels in range(1, MOST_ROWS + 1):
                # Inputs stay in registers where the next tap of the kernel uses them again.
                inputs = 1 if taps == 1 else pixels
                registers = pixels * vectors + vectors + inputs
                tile = Tile(pixels, vectors, lanes)
                fits = registers <= core.vector_registers and on_stack(tile, core)
                if period % vectors == 0 and fits:
                    yield tile


def _efficiency(tile: Tile, outer: int, core: Core) -> float:
    """Return the share of the peak that a tile can reach.

    As for a dense tile, but a vector in several groups needs a value of each, and instructions
    that put them together.
    """
    period = alignment(outer, tile.lanes)
    cycles = 0.0
    sums = 0
    for start in range(0, max(period, tile.channels), tile.channels):
        firsts = range(start, start + tile.channels, tile.lanes)
        spans = [(first // outer, (first + tile.lanes - 1) // outer) for first in firsts]
        values = len({group for span in spans for group in range(span[0], span[1] + 1)})
        joined = tile.pixels * sum(last - first for first, last in set(spans))
        work = tile.pixels * tile.vectors
        loads = tile.pixels * values + tile.vectors
        cycles += multiply_adds(work + joined, loads + joined, core)
        sums += work
    return sums / cycles * tile.lanes / core.lanes


def diagonal_tiles(width: int, size: int, channels: int, core: Core) -> list[Tile]:
    """Return tiles for groups of ``size`` inputs and outputs, several of which fill a vector.

    Best first; none where no vector is so filled, or the registers do not hold the sums of one
    pixel.
    """
    costs = core.costs
    for lanes in core.vectors():
        most = (core.vector_registers - size - 1) // size
        if 1 < size < lanes and lanes % size == 0 == channels % lanes and most > 0:
            return ranked(
                (Tile(n, 1, lanes) for n in range(1, most + 1)),
                lambda tile: (
                    filled(width, tile.pixels)
                    * min(1, tile.pixels * size / costs.chains)
                    # Two pixels share the weights.
                    * min(1, costs.lone_pixel * tile.pixels)
                ),
                lambda tile: -tile.pixels,
            )
    return []
