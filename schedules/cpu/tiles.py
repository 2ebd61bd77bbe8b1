"""Register tiles from a device's registers and vectors: the analytic defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Device

T = TypeVar("T")

# Latency of a multiply-add in cycles times its throughput in a cycle: so many accumulators are
# needed for one chain of additions not to wait for itself.
CHAINS = 8
# Powers of two by which a size may differ from the estimate.
SCALES = (0, -1, 1, -2, 2, 4)
# Bytes that one has to read in a row for the memory's prefetchers to help.
_PIECE_BYTES = 256
LINE_BYTES = 64  # of a cache
# Vectors a cycle that the second cache delivers while the core computes.
_L2_VECTORS = 7 / 16
# TVM takes larger buffers from the heap, where LLVM may have to leave them.
_STACK_BYTES = 1 << 10
# What a tile costs besides its sums.
_TILE_CYCLES = 16
# Of rows at irregular distances, which general registers hold beside the weights' and a counter.
_ADDRESSES = 13
# What it costs to find a pixel's row and column.
_PLACE_CYCLES = 8


def dense_tiles(
    rows: int, depth: int, channels: int, device: Device, width: int | None = None
) -> list[Tile]:
    """Return tiles of a matrix product, best first; rows and blocks of channels may not divide it.

    Parameters
    ----------
    rows, channels : int
        Of the product.
    depth : int
        Length of the reduction.
    device : Device
    width : int, optional
        Pixels of a row of the map, where a tile has to know in which row each of its pixels is.
    """

    def places(tile: Tile) -> int:
        return 0 if width is None or width % tile.pixels == 0 else tile.pixels * _PLACE_CYCLES

    def addresses(tile: Tile) -> int:
        # Rows past the end are the last one again: not as far from it as the others.
        regular = rows % tile.pixels == 0 and not places(tile)
        return 1 if regular else tile.pixels

    return ranked(
        (tile for tile in candidates(channels, device) if addresses(tile) <= _ADDRESSES),
        lambda tile: (
            efficiency(tile, depth, device, places(tile))
            * filled(rows, tile.pixels)
            * filled(channels, tile.channels)
        ),
        lambda tile: tile.pixels * tile.channels,
    )


def ranked(
    options: Iterable[T], worth: Callable[[T], float], second: Callable[[T], float]
) -> list[T]:
    """Return the options by their worth, and by ``second`` where that is equal, best first.

    Those of less than half the best one's worth are left out: no estimate is so far off.
    """
    found = {option: worth(option) for option in options}
    least = max(found.values(), default=0.0) / 2
    return sorted(
        (option for option in found if found[option] >= least),
        key=lambda option: (-found[option], -second(option)),
    )


def tiles_in_a_row(tiles: int, blocks: int, size: int, device: Device) -> int:
    """Return how many tiles of pixels use a block of weights before the next one comes.

    Parameters
    ----------
    tiles, blocks : int
        Tiles of pixels, and blocks of channels, of the whole output.
    size : int
        Bytes that a tile reads: those of all tiles in a row shall stay in half the second cache.
    """
    most = max(1, second_cache(device) // 2 // size)
    fewest = -(-tiles // most)

    def cost(groups: int) -> float:
        near, pieces = -(-tiles // groups), groups * blocks
        imbalance = -(-pieces // device.cores) * device.cores / pieces
        # Each piece starts with weights that are not in the first cache.
        return groups * near / tiles * imbalance * (1 + 0.25 / near)

    groups = min(range(fewest, min(tiles, fewest + 8 * device.cores) + 1), key=cost)
    return -(-tiles // groups)


def scaled(size: int, most: int, power: int) -> int:
    """Return a size times a power of two, between 1 and ``most``."""
    return min(most, max(1, size << power if power >= 0 else size >> -power))


def second_cache(device: Device) -> int:
    """Return the bytes of the second cache, or of the first where it is the only one."""
    return device.caches[min(1, len(device.caches) - 1)]


def filled(size: int, tile: int) -> float:
    """Return the share of computed elements that are wanted."""
    return size / (-(-size // tile) * tile)


def candidates(channels: int, device: Device) -> Iterator[Tile]:
    """Yield the tiles that registers hold, whose vectors divide the channels."""
    for lanes in (device.lanes, device.lanes // 2, device.lanes // 4):
        if lanes < 4 or channels % lanes:
            continue
        for vectors in range(1, 9):
            for rows in range(1, 17):
                # LLVM loads the values of all rows first where each is used only once.
                values = rows if vectors == 1 else 1
                tile = Tile(rows, vectors, lanes)
                registers = rows * vectors + vectors + values
                if registers <= device.vector_registers and on_stack(tile):
                    yield tile


def on_stack(tile: Tile) -> bool:
    """Tell whether TVM has the sums of a tile on the stack, from where LLVM takes them."""
    return tile.pixels * tile.channels * 4 < _STACK_BYTES


def efficiency(tile: Tile, depth: int, device: Device, once: int = 0) -> float:
    """Return the share of the peak that a tile can reach that takes ``once`` cycles to begin.

    Each step of the reduction loads a vector of weights for each of the tile's vectors and
    broadcasts one value for each of its rows; two loads go with two multiply-adds a cycle. Weights
    that the first cache cannot keep from one tile to the next come from the second. After the
    reduction the sums pass through the epilogue.
    """
    sums = tile.pixels * tile.vectors
    cycles = max(sums, tile.pixels + tile.vectors, CHAINS) / 2
    if depth * tile.channels * 4 > device.caches[0] * 3 / 4:
        cycles = max(cycles, tile.channels / (device.lanes * _L2_VECTORS))
    cycles += (sums + _TILE_CYCLES + once) / depth
    return sums / 2 / cycles * tile.lanes / device.lanes


def depthwise_tiles(
    width: int, channels: int, device: Device, size: int = 0, stride: int = 1
) -> list[Tile]:
    """Return tiles for rows of ``width`` pixels, best first; none where no vector divides.

    Half the registers hold the tile. It costs its pixels, and one more for loading the weights.
    A map of ``size`` bytes that the second cache does not hold is read in whole lines; with larger
    steps than one, where a tile reads twice as many pixels, that gains nothing.
    """
    for lanes in (device.lanes, device.lanes // 2, device.lanes // 4):
        if lanes >= 4 and channels % lanes == 0:
            whole = stride == 1 and size > second_cache(device)
            line = max(1, LINE_BYTES // (lanes * 4)) if whole else 1
            most = device.vector_registers // 2
            # Rows of few pixels have too few chains of additions: several vectors have enough.
            tiles = (
                Tile(n, largest_divisor(channels // lanes, max(line, CHAINS // n)), lanes)
                for n in range(1, min(width, most) + 1)
            )
            return ranked(
                (t for t in tiles if t.pixels * t.vectors <= most and on_stack(t)),
                lambda tile: width / (-(-width // tile.pixels) * (tile.pixels + 1)),
                lambda tile: tile.pixels,
            )
    return []


def depthwise_strips(width: int, channels: int, rows: int, tile: Tile, device: Device) -> list[int]:
    """Return how many vectors of channels go over the map together, best first.

    As many as leave the ``rows`` of a kernel in half the first cache from one row of output to
    the next; all of them where that would take too few bytes of a pixel for memory to be read in
    long pieces.
    """
    vectors = channels // tile.lanes
    most = device.caches[0] // 2 // (rows * width * tile.lanes * 4)
    groups = vectors // tile.vectors
    strip = tile.vectors * largest_divisor(groups, max(1, most // tile.vectors))
    best = strip if strip * tile.lanes * 4 >= _PIECE_BYTES else vectors
    strips = (tile.vectors * n for n in range(1, groups + 1) if groups % n == 0)
    return [best, *(other for other in strips if other != best)]


def largest_divisor(number: int, most: int) -> int:
    """Return the largest divisor of ``number`` that is at most ``most``."""
    return max(n for n in range(1, most + 1) if number % n == 0)


def power_of_two_divisor(number: int, most: int) -> int:
    """Return the largest power of two that divides ``number`` and is at most ``most``."""
    return min(number & -number, 1 << most.bit_length() - 1)
