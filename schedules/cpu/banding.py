"""When a pointwise and a depthwise convolution are faster as one: an estimate from a device."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tvmlcnn.ops import Banding, Tile, Window
from tvmlcnn.ops.pointwise_depthwise import band_rows
from tvmlcnn.targets import Device

from .tiles import candidates, efficiency, filled, largest_divisor, second_cache

# Bytes a cycle that a core moves from and to where a map is that its second cache does not hold.
_FAR_BYTES = 10
# Bytes of a line of a cache: what is written in parts is read and written for each of them.
_LINE_BYTES = 64


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
    rows, between = math.prod(pixels), math.prod(pixels) * channels * 4
    if between <= second_cache(device):
        return None
    multiply_adds = 2 * device.lanes / _FAR_BYTES  # while a byte is moved

    def apart(tile: Tile) -> float:
        """Return what a pointwise convolution costs that leaves its result in memory."""
        worth = efficiency(tile, inner, device)
        worth *= filled(rows, tile.pixels) * filled(channels, tile.channels)
        return rows * channels * inner / worth + 2 * between * multiply_adds

    def together(pieces: Banding) -> float:
        """Return what it costs in pieces, with what they compute and write more than once."""
        tile, bands = pieces.pointwise, -(-shape[1] // pieces.rows)
        blocks = -(-channels // pieces.channels)
        computed = -(-_piece(data, pieces.rows, taps, window) // tile.pixels) * tile.pixels
        count = shape[0] * bands * blocks
        imbalance = -(-count // device.cores) * device.cores / count
        work = count * computed * pieces.channels * inner / efficiency(tile, inner, device)
        parts = math.prod(shape[:3]) * blocks * _shared(pieces.channels, channels)
        return work * imbalance + 2 * parts * multiply_adds

    best = min(_candidates(data, shape, taps, window, device), key=together, default=None)
    alone = min(map(apart, candidates(channels, device)), default=0.0)
    return best if best is not None and together(best) < alone else None


def _candidates(
    data: Sequence[int], shape: Sequence[int], taps: Sequence[int], window: Window, device: Device
) -> Iterator[Banding]:
    channels, height = shape[3], shape[1]
    for tile in candidates(channels, device):
        whole = -(-channels // tile.channels) * tile.channels
        divisors = [n for n in range(tile.channels, whole, tile.channels) if channels % n == 0]
        for wide in (*divisors, whole):
            bands = 1
            # Half the second cache is for the rows of a piece, half for what passes by them.
            while bands < height and _bytes(
                data, -(-height // bands), taps, window, wide
            ) > second_cache(device) // 2:
                bands += 1
            for n in range(bands, min(height, bands + device.cores) + 1):
                size = -(-height // n)
                if _bytes(data, size, taps, window, wide) <= second_cache(device) // 2:
                    registers = _tile(shape[2], min(wide, channels), tile.lanes, device)
                    yield Banding(size, wide, tile, registers)


def _piece(data: Sequence[int], rows: int, taps: Sequence[int], window: Window) -> int:
    """Return the pixels of a piece."""
    return min(data[1], band_rows(rows, taps[0], window)) * data[2]


def _bytes(
    data: Sequence[int], rows: int, taps: Sequence[int], window: Window, channels: int
) -> int:
    return _piece(data, rows, taps, window) * channels * 4


def _shared(wide: int, channels: int) -> float:
    """Return the bytes of lines that a block of channels shares with its neighbours, on average."""
    if wide >= channels:
        return 0.0
    return _LINE_BYTES - math.gcd(wide * 4, channels * 4, _LINE_BYTES)


def _tile(width: int, channels: int, lanes: int, device: Device) -> Tile:
    """Return the tile of the depthwise convolution.

    It takes the vectors of a few pixels as they lie side by side in the piece, and costs its
    pixels and one more for the weights.
    """
    vectors = largest_divisor(channels // lanes, max(1, device.vector_registers // 5))
    most = min(width, device.vector_registers * 3 // 4 // vectors)
    pixels = min(range(1, most + 1), key=lambda p: (-(-width // p) * (p + 1), p))
    return Tile(pixels, vectors, lanes)
