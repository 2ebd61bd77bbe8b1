"""When a pointwise and a depthwise convolution are faster as one: an estimate from a device."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tvmlcnn.ops import Banding, Tile, Window
from tvmlcnn.ops.pointwise_depthwise import band_rows
from tvmlcnn.targets import Device

from .tiles import (
    LINE_BYTES,
    candidates,
    efficiency,
    filled,
    largest_divisor,
    on_stack,
    second_cache,
)

# Bytes a cycle that a core moves from and to where a map is that its second cache does not hold,
# and that it reads from there in order while it computes.
_FAR_BYTES = 10
_STREAM_BYTES = 50
# Share of the second cache that what is used again can have.
_KEPT = 0.75
# The least gain: the estimate is rough.
_MARGIN = 1.14


def banding(
    data: Sequence[int],
    shape: Sequence[int],
    taps: Sequence[int],
    window: Window,
    device: Device,
) -> Banding | None:
    """Return how to compute both convolutions in pieces, or None where they stay on their own.

    Parameters
    ----------
    data, shape : sequence of int
        (N, H, W, C) of the input of the pointwise, and of the output of the depthwise one.
    taps : sequence of int
        Rows and columns of the depthwise kernel.
    window : Window
        Of the depthwise convolution.
    device : Device
    """
    *pixels, inner = data
    channels = shape[3]
    rows, cache = math.prod(pixels), second_cache(device)
    # What the cache cannot keep of the map between the two goes from it and comes back.
    far = 2 * (rows * channels * 4 - cache * _KEPT)
    if far <= 0:
        return None
    multiply_adds = 2 * device.lanes  # in a cycle

    def apart(tile: Tile) -> float:
        """Return what a pointwise convolution costs that leaves its result in memory."""
        worth = efficiency(tile, inner, device)
        worth *= filled(rows, tile.pixels) * filled(channels, tile.channels)
        return rows * channels * inner / worth + far / _FAR_BYTES * multiply_adds

    def together(pieces: Banding) -> float:
        """Return what it costs in pieces, with what they compute and write more than once."""
        tile, bands = pieces.pointwise, -(-shape[1] // pieces.rows)
        blocks = -(-channels // pieces.channels)
        piece = _piece(data, pieces.rows, taps, window)
        count = shape[0] * bands * blocks
        imbalance = -(-count // device.cores) * device.cores / count
        computed = -(-piece // tile.pixels) * tile.pixels * pieces.channels
        work = count * computed * inner / efficiency(tile, inner, device) * imbalance
        # Each block of channels reads the input of the band.
        if piece * (inner + pieces.channels) * 4 > cache:
            work += count * piece * inner * 4 / _STREAM_BYTES * multiply_adds
        # The output of a band that the cache holds is there until its lines are whole.
        if (piece * pieces.channels + pieces.rows * shape[2] * channels) * 4 > cache:
            parts = math.prod(shape[:3]) * blocks * _shared(pieces.channels, channels)
            work += 2 * parts / _FAR_BYTES * multiply_adds
        return work

    best = min(_candidates(data, shape, taps, window, device), key=together, default=None)
    alone = min(map(apart, candidates(channels, device)), default=0.0)
    return best if best is not None and together(best) * _MARGIN < alone else None


def _candidates(
    data: Sequence[int], shape: Sequence[int], taps: Sequence[int], window: Window, device: Device
) -> Iterator[Banding]:
    channels, height = shape[3], shape[1]
    for tile in candidates(channels, device):
        # Weights of one tile stay in the first cache; a remainder of channels would be no piece.
        blocks = -(-channels // tile.channels) if channels % tile.channels else 1
        wide = blocks * tile.channels
        registers = _tile(shape[2], min(wide, channels), tile.lanes, device)
        fitting = 0
        for bands in range(1, height + 1):
            size = -(-height // bands)
            if _piece(data, size, taps, window) * wide * 4 <= second_cache(device) * _KEPT:
                fitting += 1
                yield Banding(size, wide, tile, registers)
            if fitting == 8 * device.cores:
                break


def _piece(data: Sequence[int], rows: int, taps: Sequence[int], window: Window) -> int:
    """Return the pixels of a piece."""
    return min(data[1], band_rows(rows, taps[0], window)) * data[2]


def _shared(wide: int, channels: int) -> float:
    """Return the bytes of lines that a block of channels shares with its neighbours, on average."""
    if wide >= channels:
        return 0.0
    # What is written in parts is read and written for each of them.
    return LINE_BYTES - math.gcd(wide * 4, channels * 4, LINE_BYTES)


def _tile(width: int, channels: int, lanes: int, device: Device) -> Tile:
    """Return the tile of the depthwise convolution.

    Half the registers hold it. It takes whole lines of the piece, and costs its pixels and one
    more for the weights.
    """
    vectors = largest_divisor(channels // lanes, max(1, LINE_BYTES // (lanes * 4)))
    most = min(width, device.vector_registers // 2 // vectors)
    fitting = [p for p in range(1, most + 1) if on_stack(Tile(p, vectors, lanes))]
    pixels = min(fitting, key=lambda p: (-(-width // p) * (p + 1), -p))
    return Tile(pixels, vectors, lanes)
