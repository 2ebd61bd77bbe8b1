"""When a pointwise and a depthwise convolution are faster as one: an estimate from a core."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tvmlcnn.ops import Banding, Tile
from tvmlcnn.ops.pointwise_depthwise import band_rows
from tvmlcnn.targets import Core

from ..layer import PointwiseDepthwise
from .tiles import candidates, efficiency, filled, largest_divisor, on_stack


def banding(layer: PointwiseDepthwise, core: Core) -> Banding | None:
    """Return how to compute both convolutions in pieces, or None where they stay on their own."""
    inner, channels = layer.weight.shape
    steps = core.steps_of_a_load(inner)
    rows, cache, costs = math.prod(layer.data[:3]), core.second_cache, core.costs
    # What the cache cannot keep of the map between the two goes from it and comes back.
    far = 2 * (core.bytes(rows * channels) - core.whole_second_cache * costs.kept)
    if far <= 0:
        return None

    def apart(tile: Tile) -> float:
        """Return what a pointwise convolution costs that leaves its result in memory."""
        worth = efficiency(tile, inner, core, steps=steps)
        worth *= filled(rows, tile.pixels) * filled(channels, tile.channels)
        return rows * channels * inner / worth + far / costs.far_bytes * core.lanes

    def together(pieces: Banding) -> float:
        """Return what it costs in pieces, with what they compute and write more than once."""
        tile, shape = pieces.pointwise, layer.shape
        bands = -(-shape[1] // pieces.rows)
        blocks = -(-channels // pieces.channels)
        piece = _piece(layer, pieces.rows)
        count = shape[0] * bands * blocks
        imbalance = -(-count // core.count) * core.count / count
        computed = -(-piece // tile.pixels) * tile.pixels * pieces.channels
        rate = efficiency(tile, inner, core, steps=steps)
        work = count * computed * inner / rate * imbalance
        # Each block of channels reads the input of the band.
        if core.bytes(piece * (inner + pieces.channels)) > cache:
            work += core.bytes(count * piece * inner) / costs.stream_bytes * core.lanes
        # The output of a band that the cache holds is there until its lines are whole.
        if core.bytes(piece * pieces.channels + pieces.rows * shape[2] * channels) > cache:
            parts = math.prod(shape[:3]) * blocks * _shared(pieces.channels, channels, core)
            work += 2 * parts / costs.far_bytes * core.lanes
        return work

    best = min(_candidates(layer, core), key=together, default=None)
    alone = min(map(apart, candidates(channels, core, steps)), default=0.0)
    return best if best is not None and together(best) * costs.fusion_margin < alone else None


def _candidates(layer: PointwiseDepthwise, core: Core) -> Iterator[Banding]:
    _, height, _, channels = layer.shape
    for tile in candidates(channels, core, core.steps_of_a_load(len(layer.weight))):
        # Weights of one tile stay in the first cache; a remainder of channels would be no piece.
        blocks = -(-channels // tile.channels) if channels % tile.channels else 1
        wide = blocks * tile.channels
        registers = _tile(layer, min(wide, channels), tile.lanes, core)
        fitting = 0
        for bands in range(1, height + 1):
            size = -(-height // bands)
            if core.bytes(_piece(layer, size) * wide) <= core.second_cache * core.costs.kept:
                fitting += 1
                yield Banding(size, wide, tile, registers)
            if fitting == 8 * core.count:
                break


def _piece(layer: PointwiseDepthwise, rows: int) -> int:
    """Return the pixels of a piece that serves so many rows of output."""
    _, height, width, _ = layer.data
    return min(height, band_rows(rows, layer.kernel.shape[0], layer.window)) * width


def _shared(wide: int, channels: int, core: Core) -> float:
    """Return the bytes of lines that a block of channels shares with its neighbours, on average."""
    if wide >= channels:
        return 0.0
    # What is written in parts is read and written for each of them.
    line = core.line_bytes
    return line - math.gcd(core.bytes(wide), core.bytes(channels), line)


def holds_weights(vectors: int, taps: int, core: Core) -> bool:
    """Tell whether registers hold a depthwise kernel's weights, and a bias, beside a tile."""
    return vectors * (taps + 1) <= core.free_registers // 2


def _tile(layer: PointwiseDepthwise, channels: int, lanes: int, core: Core) -> Tile:
    """Return the tile of the depthwise convolution.

    Half the registers hold it. It takes as many vectors as the others hold the weights of, beside
    the inputs of a row of taps, which LLVM loads first; or where there are none, so that weights
    are read all the time, whole lines of the piece. It costs its pixels and one more for the
    weights.
    """
    width, (rows, columns) = layer.shape[2], layer.kernel.shape[:2]
    stride, taps = layer.window.strides[1], rows * columns
    line = max(1, core.line // lanes)
    held = [n for n in range(1, line + 1) if holds_weights(n, taps, core)]
    vectors = largest_divisor(channels // lanes, held[-1] if held else line)
    most = core.free_registers // 2 // vectors
    if held:
        inputs = columns - stride
        most = min(most, (core.vector_registers // vectors - taps - 1 - inputs) // (stride + 1))
    most = max(1, min(width, most))
    fitting = [p for p in range(1, most + 1) if on_stack(Tile(p, vectors, lanes), core)]
    pixels = min(fitting, key=lambda p: (-(-width // p) * (p + 1), -p))
    return Tile(pixels, vectors, lanes)
