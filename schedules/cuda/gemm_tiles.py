"""The tiles of an implicit GEMM: what a block and a thread of it compute, and which are best."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tvmlcnn.targets import FLOAT32, Gpu

from .blocks import LANES
from .threads import WARP

_ROWS_OF_THREAD = (4, 7, 8, 14, 16)
_ROWS_OF_BLOCK = (1, 2, 4, 7, 8, 14, 16, 28, 32, 64, 128)
_CHANNEL_THREADS = (1, 2, 3, 4, 6, 8, 9, 10, 12, 15, 16, 18, 20, 24, 25, 30, 32)
_STEPS = (32, 27, 24, 20, 18, 16, 12, 9, 8, 4, 3, 2, 1)
_PARTS = (1, 2, 3, 4, 5, 6, 8)
# One is computed while another one is brought; where no thread waits for that, two are.
_BUFFERS, _ASYNC_BUFFERS = 2, 3
_FEWEST_THREADS, _MOST_THREADS = 64, 256
# A thread's registers beside its sums and what it multiplies: addresses, counters, the epilogue.
_OTHER_REGISTERS = 32
# So many warps of independent multiply-adds keep the schedulers of a multiprocessor busy: four
# of them, each with two warps in turn.
_BUSY_WARPS = 8
# Instructions a warp: of a block's beginning and end, of a chunk's barrier and addresses.
_OF_BLOCK, _OF_CHUNK = 60, 24
# The latency of a load from memory, in instructions of a warp; a chunk waits for it unless the
# multiply-adds of the one before take as long.
_LATENCY = 400
# Cycles from the end of a launch to the beginning of the next one in a graph: about a microsecond.
_LAUNCH = 1500
# Bytes that a multiprocessor gets from the second cache in a cycle: half of the 64 that NVIDIA's
# A100 white paper says, since neighbours want theirs at the same time.
_BYTES = 32


@dataclass(frozen=True)
class GemmTile:
    """How an implicit GEMM is cut.

    Attributes
    ----------
    rows : int
        Of a thread, each of `LANES` channels.
    row_threads, channel_threads : int
        Of a block.
    steps : int
        Of the reduction, whose factors are staged in shared memory at a time.
    parts : int
        Of the reduction, each of them another block's.
    buffers : int
        Chunks of steps in shared memory: one is read while the others are brought.
    """

    rows: int
    row_threads: int
    channel_threads: int
    steps: int
    parts: int
    buffers: int

    @property
    def threads(self) -> int:
        """Of a block."""
        return self.row_threads * self.channel_threads

    @property
    def block_rows(self) -> int:
        """Rows of a block."""
        return self.rows * self.row_threads

    @property
    def block_channels(self) -> int:
        """Channels of a block."""
        return LANES * self.channel_threads

    @property
    def shared_floats(self) -> int:
        """Numbers that a block has in shared memory, of both factors."""
        return self.buffers * self.steps * (self.block_rows + self.block_channels)


def gemm_tiles(rows: int, channels: int, steps: int, inner: int, gpu: Gpu) -> list[GemmTile]:
    """Return tiles of a product, the one of the least estimated time first.

    Parameters
    ----------
    rows, channels, steps : int
        Of the product; the channels are one group's.
    inner : int
        Steps whose data lie one after the other.
    gpu : Gpu
    """
    found = {
        tile: _time(tile, rows, channels, steps, gpu)
        for tile in _fitting(rows, channels, steps, inner, gpu)
    }
    least = min(found.values(), default=0.0)
    return sorted((t for t in found if found[t] <= 2 * least), key=lambda t: (found[t], t.parts))


def _fitting(rows: int, channels: int, steps: int, inner: int, gpu: Gpu) -> Iterator[GemmTile]:
    vectors = -(-channels // LANES)
    chunks = [n for n in _STEPS if steps % n == 0]
    aligned = [n for n in chunks if n % LANES == 0 and inner % LANES == 0]
    buffers = _ASYNC_BUFFERS if gpu.copies_asynchronously else _BUFFERS
    for across in _CHANNEL_THREADS:
        if vectors % across and across != min(_CHANNEL_THREADS[-1], vectors):
            continue
        for down in _ROWS_OF_BLOCK:
            fewest = min(_FEWEST_THREADS, across * -(-rows // _ROWS_OF_THREAD[0]))
            if not fewest <= across * down <= _MOST_THREADS:
                continue
            for own in _ROWS_OF_THREAD:
                if (own - 1) * down >= max(rows, _ROWS_OF_THREAD[0] * down):
                    continue
                for chunk in (aligned or chunks)[:3]:
                    for parts in _PARTS:
                        count = steps // chunk
                        # A part is worth its sums where it has several chunks.
                        if count % parts or (parts > 1 and count < 4 * parts):
                            continue
                        own_buffers = min(buffers, count // parts)
                        tile = GemmTile(own, down, across, chunk, parts, own_buffers)
                        if FLOAT32.bytes * tile.shared_floats <= gpu.shared_bytes:
                            yield tile


def _time(tile: GemmTile, rows: int, channels: int, steps: int, gpu: Gpu) -> float:
    """Return about how many instructions of a warp a scheduler issues until all blocks are done."""
    multiply = tile.rows * LANES * tile.steps
    # A vector of a row serves as many steps as it has lanes.
    reads = (tile.rows / LANES + 1) * tile.steps
    copied = tile.steps * (tile.block_rows + tile.block_channels) / LANES / tile.threads
    factors = steps // tile.parts * (tile.block_rows + tile.block_channels)
    results = tile.block_rows * tile.block_channels
    block = BlockWork(
        threads=tile.threads,
        registers=tile.rows * LANES + 2 * tile.rows + 2 * LANES * LANES + _OTHER_REGISTERS,
        shared=FLOAT32.bytes * tile.shared_floats,
        chunks=steps // tile.parts // tile.steps,
        chunk=multiply + reads + 3 * copied,
        stores=4 * tile.rows,
        buffers=tile.buffers,
        moved=FLOAT32.bytes * (factors + results),
    )
    blocks = -(-rows // tile.block_rows) * -(-channels // tile.block_channels) * tile.parts
    return time_of_blocks(block, blocks, gpu) + time_of_parts(tile.parts, rows, channels, gpu)


@dataclass(frozen=True)
class BlockWork:
    """What a block of an implicit GEMM does.

    Attributes
    ----------
    threads : int
    registers : int
        Of a thread.
    shared : int
        Bytes of shared memory.
    chunks : int
        Of the reduction, one after the other.
    chunk, stores : float
        Instructions of a warp: for a chunk, but what a chunk costs anyway, and for the results.
    buffers : int
        Chunks in shared memory.
    moved : float
        Bytes that it reads and writes.
    """

    threads: int
    registers: int
    shared: int
    chunks: int
    chunk: float
    stores: float
    buffers: int
    moved: float


def time_of_blocks(block: BlockWork, blocks: int, gpu: Gpu) -> float:
    """Return how many instructions a scheduler issues, and would, until so many blocks are done."""
    warps = -(-block.threads // WARP)
    chunk = block.chunk + _OF_CHUNK
    work = block.chunks * chunk + _OF_BLOCK + block.stores
    resident = min(
        gpu.registers // (block.registers * block.threads),
        gpu.shared_of_multiprocessor // max(1, block.shared),
        gpu.threads_of_multiprocessor // block.threads,
    )
    if resident == 0:
        return math.inf
    each = -(-blocks // gpu.multiprocessors)
    active = min(resident, each) * warps
    schedulers = gpu.lanes_of_multiprocessor / WARP
    issue = each * warps * work / schedulers / min(1.0, active / _BUSY_WARPS)
    # Other warps compute meanwhile; where a thread need not wait it computes chunks itself.
    ahead = block.buffers - 1 if gpu.copies_asynchronously else 0
    hidden = (max(0, active - warps) + ahead * warps) * chunk / schedulers
    waits = block.chunks * max(0.0, _LATENCY - hidden) * -(-each // resident)
    return max(issue, each * block.moved / _BYTES) + waits


def time_of_parts(parts: int, rows: int, channels: int, gpu: Gpu) -> float:
    """Return what it takes to write, read and add parts of sums, by a launch of its own."""
    if parts == 1:
        return 0.0
    schedulers = gpu.lanes_of_multiprocessor / WARP
    each_sum = rows * channels / LANES / WARP / gpu.multiprocessors / schedulers
    return _LAUNCH + (6 * parts + 10) * each_sum
