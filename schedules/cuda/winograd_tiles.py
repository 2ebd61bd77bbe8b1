"""Which tiles of Winograd's filtering are best on a GPU, and what blocks of them do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

from tvmlcnn.ops.winograd_product import OUTPUTS
from tvmlcnn.targets import FLOAT32, Gpu

from ..layer import Convolution
from .block_work import BlockWork, time_of_blocks
from .blocks import LANES
from .gemm_tile import GemmTile
from .gemm_tiles import copied_tiles

POINTS = (OUTPUTS + 2) ** 2
"""Of F(2x2, 3x3), at each of which there is a product of matrices."""

# Sums of a thread at one point: the threads of all points share the outputs of a block.
_ROWS, _ROW_THREADS, _CHANNEL_THREADS = (4, 8, 16), (1, 2, 4), (1, 2, 4, 6, 8, 12, 16)
_STEPS = (16, 12, 8, 4)
# Chunks of weights in shared memory: one is multiplied while the next one is brought.
_BUFFERS = 2
_FEWEST_THREADS, _MOST_THREADS = 64, 256
# Blocks on a multiprocessor: one computes while another one waits for a barrier.
_RESIDENT = 2
# Channels of tiles that a thread transforms for a chunk: it keeps sixteen numbers of each.
_MOST_ITEMS = 2
# Instructions of a thread that transforms a channel of a tile: loads with their predicates,
# additions, stores and addresses; and of one that makes four outputs of a vector's products.
_INPUT, _OUTPUT = 32 + 32 + 16 + 10, 16 + 96 + 4 * 12 + 20
# Of a copy of a vector with its address.
_COPY = 3
# Elements read from the second cache for each tile: neighbours have half of its sixteen.
_READ = 8


def tiles_of(layer: Convolution, device: Gpu) -> dict[GemmTile, float]:
    """Return tiles of the products with their estimated cycles, the best first."""
    inner, channels = layer.weight.shape[2:]
    batch, height, width, _ = layer.shape
    tiles = math.prod(-(-side // OUTPUTS) for side in (height, width))
    found = {}
    for tile in _fitting(tiles, channels, inner, device):
        work = work_of(tile, inner)
        if work.resident(device) >= _RESIDENT:
            blocks = batch * -(-tiles // tile.block_rows) * -(-channels // tile.block_channels)
            found[tile] = time_of_blocks(work, blocks, device)
    return {tile: found[tile] for tile in sorted(found, key=found.__getitem__)}


def work_of(tile: GemmTile, inner: int) -> BlockWork:
    """Return what a block does."""
    transformed = _INPUT * tile.block_rows * tile.steps / tile.threads
    weights = _COPY * POINTS * tile.block_channels // LANES * tile.steps / tile.threads
    reads = (tile.rows / tile.loaded + 1) * tile.steps
    chunks = inner // tile.steps
    moved = _READ * tile.block_rows + POINTS * tile.block_channels
    results = OUTPUTS**2 * tile.block_rows * tile.block_channels
    return BlockWork(
        threads=tile.threads,
        registers=tile.registers + POINTS * _items(tile),
        shared=_shared_bytes(tile),
        chunks=chunks,
        chunk=tile.rows * LANES * tile.steps + reads + transformed + weights,
        stores=2 * tile.rows + _OUTPUT * tile.rows / POINTS,
        buffers=tile.buffers,
        moved=FLOAT32.bytes * (chunks * tile.steps * moved + results),
    )


def _items(tile: GemmTile) -> int:
    """Return how many channels of tiles a thread transforms for a chunk."""
    return tile.block_rows * tile.steps // tile.threads


def _shared_bytes(tile: GemmTile) -> int:
    """Return what a block has in shared memory: TVM keeps sums where the larger factor has been."""
    panel = POINTS * tile.steps * tile.block_rows
    weights = POINTS * tile.buffers * tile.steps * tile.block_channels
    sums = POINTS * tile.block_rows * tile.block_channels
    return FLOAT32.bytes * (min(panel, weights) + max(panel, weights, sums))


def _fitting(tiles: int, channels: int, inner: int, device: Gpu) -> Iterator[GemmTile]:
    for rows, down, across, steps in product(_ROWS, _ROW_THREADS, _CHANNEL_THREADS, _STEPS):
        if inner % steps or inner // steps < _BUFFERS:
            continue
        tile = GemmTile(rows, down, across, steps, 1, POINTS, _BUFFERS)
        # All threads transform as much: TVM would read outside of the map for the others.
        if tile.block_rows * steps % tile.threads or _items(tile) > _MOST_ITEMS:
            continue
        if not _FEWEST_THREADS <= tile.threads <= _MOST_THREADS:
            continue
        if _shared_bytes(tile) > device.shared_bytes:
            continue
        if (down - 1) * rows < tiles and (across - 1) * LANES < channels:
            yield tile


def time_of_direct(layer: Convolution, device: Gpu) -> float:
    """Return the cycles of the convolution as a product of matrices."""
    *kernel, inner, channels = layer.weight.shape
    pixels, steps = math.prod(layer.shape[:3]), math.prod(kernel) * inner
    return next(iter(copied_tiles(pixels, channels, steps, 1, inner, device).values()))
