"""Register tiles from a device's registers and vectors: the analytic defaults."""

from __future__ import annotations

from collections.abc import Iterator

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Device

# Latency of a multiply-add in cycles times its throughput in a cycle: so many accumulators are
# needed for one chain of additions not to wait for itself.
CHAINS = 8


def matrix_tile(rows: int, channels: int, device: Device) -> Tile | None:
    """Return the tile of a matrix product; rows and blocks of channels need not divide it."""
    return max(
        _tiles(channels, device),
        key=lambda tile: (
            _efficiency(tile, device) * filled(rows, tile.pixels) * filled(channels, tile.channels),
            tile.pixels * tile.channels,
        ),
        default=None,
    )


def dense_tile(width: int, channels: int, device: Device) -> Tile | None:
    """Return the tile for rows of ``width`` pixels, which it must divide."""
    return max(
        (tile for tile in _tiles(channels, device) if width % tile.pixels == 0),
        key=lambda tile: (
            _efficiency(tile, device) * filled(channels, tile.channels),
            tile.pixels * tile.channels,
        ),
        default=None,
    )


def filled(size: int, tile: int) -> float:
    """Return the share of computed elements that are wanted."""
    return size / (-(-size // tile) * tile)


def _tiles(channels: int, device: Device) -> Iterator[Tile]:
    """Yield the tiles that registers hold, whose vectors divide the channels."""
    for lanes in (device.lanes, device.lanes // 2, device.lanes // 4):
        if lanes < 4 or channels % lanes:
            continue
        for vectors in range(1, 9):
            for rows in range(1, 17):
                if rows * vectors + vectors + 1 <= device.vector_registers:
                    yield Tile(rows, vectors, lanes)


def _efficiency(tile: Tile, device: Device) -> float:
    """Return the share of the peak that a tile can reach.

    Each step of the reduction loads a vector of weights for each of the tile's vectors and
    broadcasts one value for each of its rows; two loads go with two multiply-adds a cycle.
    """
    sums = tile.pixels * tile.vectors
    cycles = max(sums, tile.pixels + tile.vectors, CHAINS)
    return sums / cycles * tile.lanes / device.lanes


def depthwise_tile(width: int, channels: int, device: Device) -> Tile | None:
    """Return the tile for rows of ``width`` pixels; None where no vector divides the channels."""
    for lanes in (device.lanes, device.lanes // 2, device.lanes // 4):
        if lanes >= 4 and channels % lanes == 0:
            return Tile(largest_divisor(width, 8), 1, lanes)
    return None


def largest_divisor(number: int, most: int) -> int:
    """Return the largest divisor of ``number`` that is at most ``most``."""
    return max(n for n in range(1, most + 1) if number % n == 0)


def power_of_two_divisor(number: int, most: int) -> int:
    """Return the largest power of two that divides ``number`` and is at most ``most``."""
    return min(number & -number, 1 << most.bit_length() - 1)
