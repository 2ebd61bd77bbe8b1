"""The tiles of an implicit GEMM: what a block and a thread of it compute, and which are best."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tvmlcnn.targets import FLOAT32, Gpu

from .blocks import LANES
from .threads import WARP

_ROWS_OF_THREAD = (4, 7, 8, 14, 16)
_ROWS_OF_BLOCK = (1, 2, 4, 7, 8, 14, 16, 28, 32, 64, 128)
_CHANNEL_THREADS = (1, 2, 3, 4, 6, 8, 9, 10, 12, 15, 16, 18, 20, 24, 25, 30, 32)
_STEPS = (32, 28, 27, 24, 20, 18, 16, 12, 9, 8, 4, 3, 2, 1)
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
# Of a copy with its address; of one whose step has to be found out.
_COPY, _PLACED_COPY = 3, 6
# Blocks on a multiprocessor: one computes while another one begins, ends, or waits for a barrier.
_RESIDENT = 2
# Estimated times that differ by less may as well be the other way round.
_AS_FAST = 1.2
# Times as many steps, or vectors of channels, as there are: with zeros for what is not there.
_MOST_FILLED = 1.1
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

    @property
    def registers(self) -> int:
        """Of a thread: sums, what they are of, addresses and the rest."""
        return self.rows * LANES + 2 * self.rows + 2 * LANES * LANES + _OTHER_REGISTERS

    def resident(self, gpu: Gpu) -> int:
        """Return how many blocks a multiprocessor of a GPU can hold at once."""
        shared = FLOAT32.bytes * self.shared_floats
        return resident_blocks(self.threads, self.registers, shared, gpu)

    def chunks(self, steps: int) -> int:
        """Return how many chunks a reduction of so many steps is cut into, parts of one size."""
        return -(-steps // (self.steps * self.parts)) * self.parts

    def filled(self, steps: int) -> int:
        """Return how many steps these are, of which the last ones add zeros."""
        return self.chunks(steps) * self.steps


def gemm_tiles(rows: int, channels: int, steps: int, inner: int, gpu: Gpu) -> list[GemmTile]:
    """Return tiles of a product: those of the least estimated time, or nearly, first.

    Of these, the ones come first that ask least of the GPU, in instructions and bytes together.

    Parameters
    ----------
    rows, channels, steps : int
        Of the product; the channels are one group's.
    inner : int
        Steps whose data lie one after the other.
    gpu : Gpu
    """
    fitting = list(_fitting(rows, channels, steps, gpu))
    several = [tile for tile in fitting if tile.resident(gpu) >= _RESIDENT]
    found = {}
    for tile in several or fitting:
        blocks = -(-rows // tile.block_rows) * -(-channels // tile.block_channels) * tile.parts
        block, again = _work(tile, steps, inner), time_of_parts(tile.parts, rows, channels, gpu)
        time = time_of_blocks(block, blocks, gpu) + again
        found[tile] = time, asked_of_blocks(block, blocks, gpu) + again
    least = min((time for time, _ in found.values()), default=0.0)

    def order(tile: GemmTile) -> tuple[bool, float, int]:
        time, asked = found[tile]
        as_fast = time <= _AS_FAST * least
        return not as_fast, asked if as_fast else time, tile.parts

    return sorted((tile for tile, (time, _) in found.items() if time <= 2 * least), key=order)


def _fitting(rows: int, channels: int, steps: int, gpu: Gpu) -> Iterator[GemmTile]:
    vectors = -(-channels // LANES)
    buffers = _ASYNC_BUFFERS if gpu.copies_asynchronously else _BUFFERS
    for across in _CHANNEL_THREADS:
        # Vectors that no thread of the last block has an own one of are computed for nothing.
        if -(-vectors // across) * across > _MOST_FILLED * vectors:
            continue
        for down in _ROWS_OF_BLOCK:
            fewest = min(_FEWEST_THREADS, across * -(-rows // _ROWS_OF_THREAD[0]))
            if not fewest <= across * down <= _MOST_THREADS:
                continue
            for own in _ROWS_OF_THREAD:
                if (own - 1) * down >= max(rows, _ROWS_OF_THREAD[0] * down):
                    continue
                for chunk in _chunks(steps):
                    for parts in _PARTS:
                        tile = GemmTile(own, down, across, chunk, parts, buffers)
                        count = tile.chunks(steps)
                        # A part is worth its sums where it has several chunks.
                        if parts > 1 and count < 4 * parts:
                            continue
                        if tile.filled(steps) > _MOST_FILLED * steps:
                            continue
                        tile = replace(tile, buffers=min(buffers, count // parts))
                        if FLOAT32.bytes * tile.shared_floats <= gpu.shared_bytes:
                            yield tile


def _chunks(steps: int) -> list[int]:
    """Return how many steps may be staged at a time: whole vectors, if few are added for them."""
    filled = {n: -(-steps // n) * n for n in _STEPS}
    whole = [n for n in _STEPS if n % LANES == 0 and filled[n] <= _MOST_FILLED * steps]
    dividing = [n for n in _STEPS if steps % n == 0]
    return sorted(whole, key=lambda n: (filled[n], -n))[:5] or dividing[:3]


def _work(tile: GemmTile, steps: int, inner: int) -> BlockWork:
    """Return what a block of a product of so many steps does."""
    chunks = tile.chunks(steps) // tile.parts
    # A vector of a row serves as many steps as it has lanes.
    lanes = LANES if tile.steps % LANES == 0 else 1
    reads = (tile.rows / lanes + 1) * tile.steps
    together = lanes if inner % LANES == 0 else 1
    # Threads whose copies are all of one step of their rows compute its place once.
    straight = tile.threads % (tile.steps // together) == 0
    copied = (_COPY if straight else _PLACED_COPY) * tile.block_rows / together
    copied += _COPY * tile.block_channels / LANES
    factors = chunks * tile.steps * (tile.block_rows + tile.block_channels)
    results = tile.block_rows * tile.block_channels
    return BlockWork(
        threads=tile.threads,
        registers=tile.registers,
        shared=FLOAT32.bytes * tile.shared_floats,
        chunks=chunks,
        chunk=tile.rows * LANES * tile.steps + reads + copied * tile.steps / tile.threads,
        stores=4 * tile.rows,
        buffers=tile.buffers,
        moved=FLOAT32.bytes * (factors + results),
    )


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

    @property
    def warps(self) -> int:
        """Of it."""
        return -(-self.threads // WARP)

    @property
    def instructions(self) -> float:
        """Of a warp, from its beginning to its end."""
        return self.chunks * (self.chunk + _OF_CHUNK) + _OF_BLOCK + self.stores

    def resident(self, gpu: Gpu) -> int:
        """Return how many such blocks a multiprocessor of a GPU can hold at once."""
        return resident_blocks(self.threads, self.registers, self.shared, gpu)


def resident_blocks(threads: int, registers: int, shared: int, gpu: Gpu) -> int:
    """Return how many blocks of so many threads a multiprocessor can hold at once."""
    return min(
        gpu.registers // (registers * -(-threads // WARP) * WARP),
        gpu.shared_of_multiprocessor // max(1, shared),
        gpu.threads_of_multiprocessor // threads,
    )


def time_of_blocks(block: BlockWork, blocks: int, gpu: Gpu) -> float:
    """Return how many instructions a scheduler issues, and would, until so many blocks are done."""
    warps, chunk, resident = block.warps, block.chunk + _OF_CHUNK, block.resident(gpu)
    if resident == 0:
        return math.inf
    each = -(-blocks // gpu.multiprocessors)
    active = min(resident, each) * warps
    schedulers = gpu.lanes_of_multiprocessor / WARP
    issue = each * warps * block.instructions / schedulers / min(1.0, active / _BUSY_WARPS)
    # Other warps compute meanwhile; where a thread need not wait it computes chunks itself.
    ahead = block.buffers - 1 if gpu.copies_asynchronously else 0
    hidden = (max(0, active - warps) + ahead * warps) * chunk / schedulers
    waits = block.chunks * max(0.0, _LATENCY - hidden) * -(-each // resident)
    return max(issue, each * block.moved / _BYTES) + waits


def asked_of_blocks(block: BlockWork, blocks: int, gpu: Gpu) -> float:
    """Return what it would take if all multiprocessors computed, then moved, all the time."""
    schedulers = gpu.lanes_of_multiprocessor / WARP
    each = block.warps * block.instructions / schedulers + block.moved / _BYTES
    return blocks / gpu.multiprocessors * each


def time_of_parts(parts: int, rows: int, channels: int, gpu: Gpu) -> float:
    """Return what it takes to write, read and add parts of sums, by a launch of its own."""
    if parts == 1:
        return 0.0
    schedulers = gpu.lanes_of_multiprocessor / WARP
    each_sum = rows * channels / LANES / WARP / gpu.multiprocessors / schedulers
    return _LAUNCH + (6 * parts + 10) * each_sum
