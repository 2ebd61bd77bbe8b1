"""The tiles of an implicit GEMM: what a block and a thread of it compute, and which are best."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tvmlcnn.targets import FLOAT32, Gpu

from .block_work import (
    BlockWork,
    asked_of_blocks,
    resident_blocks,
    time_of_blocks,
    time_of_parts,
)
from .blocks import LANES

_ROWS_OF_THREAD = (4, 7, 8, 14, 16)
_ROWS_OF_BLOCK = (1, 2, 4, 7, 8, 14, 16, 28, 32, 64, 128)
_CHANNEL_THREADS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 18, 20, 24, 25, 30, 32)
_STEPS = (32, 28, 27, 24, 20, 18, 16, 12, 9, 8, 4, 3, 2, 1)
# Parts and shares of the reduction.
_CUTS = (*((n, 1) for n in (1, 2, 3, 4, 5, 6, 8)), *((1, n) for n in (2, 4, 7, 8)))
_CHUNKS_OF_PART = 4
# Steps of a share's chunk: where it lies takes 30 instructions more where chunks are a loop, as
# counted, which is a fifth of what eight steps take.
_FEWEST_STEPS = 12
# One is computed while another one is brought; where no thread waits for that, two are.
_BUFFERS, _ASYNC_BUFFERS = 2, 3
_FEWEST_THREADS, _MOST_THREADS = 64, 256
# A thread's registers beside its sums and what it multiplies: addresses, counters, the epilogue.
_OTHER_REGISTERS = 32
# Of a row's vector of sums of a share: written to shared memory, and read and added up.
_ADDED = 7
# Of a copy with its address; of one whose step has to be found out.
_COPY, _PLACED_COPY = 3, 6
# Blocks on a multiprocessor: one computes while another one begins, ends, or waits for a barrier.
_RESIDENT = 2
# Estimated times that differ by less may as well be the other way round.
_AS_FAST = 1.2
# Times as many steps, or vectors of channels, as there are: with zeros for what is not there.
_MOST_FILLED = 1.1


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
    shares : int
        Of the reduction, each of them other threads' of a block; parts have none.
    buffers : int
        Chunks of steps in shared memory: one is read while the others are brought.
    """

    rows: int
    row_threads: int
    channel_threads: int
    steps: int
    parts: int
    shares: int
    buffers: int

    @property
    def cut(self) -> int:
        """Into how many parts or shares the reduction is cut."""
        return self.parts * self.shares

    @property
    def threads(self) -> int:
        """Of a block."""
        return self.row_threads * self.channel_threads * self.shares

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
        """Numbers that a block has in shared memory: both factors, and sums that it adds up."""
        factors = self.buffers * self.steps * (self.block_rows + self.block_channels)
        sums = self.block_rows * self.block_channels if self.shares > 1 else 0
        return self.shares * (factors + sums)

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
        return -(-steps // (self.steps * self.cut)) * self.cut

    def filled(self, steps: int) -> int:
        """Return how many steps these are, of which the last ones add zeros."""
        return self.chunks(steps) * self.steps


def gemm_tiles(
    rows: int, channels: int, steps: int, groups: int, inner: int, gpu: Gpu
) -> list[GemmTile]:
    """Return tiles of a product: those of the least estimated time, or nearly, first.

    Of these, the ones come first that ask least of the GPU, in instructions and bytes together.

    Parameters
    ----------
    rows, channels, steps : int
        Of the product; the channels are one group's.
    groups : int
    inner : int
        Steps whose data lie one after the other.
    gpu : Gpu
    """
    fitting = list(_fitting(rows, channels, steps, gpu))
    several = [tile for tile in fitting if tile.resident(gpu) >= _RESIDENT]
    found = {}
    for tile in several or fitting:
        blocks = -(-rows // tile.block_rows) * -(-channels // tile.block_channels)
        blocks *= groups * tile.parts
        block = _work(tile, steps, inner)
        again = time_of_parts(tile.parts, rows, channels * groups, gpu)
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
            if across * down > _MOST_THREADS:
                continue
            for own in _ROWS_OF_THREAD:
                if (own - 1) * down >= max(rows, _ROWS_OF_THREAD[0] * down):
                    continue
                for chunk in _chunks(steps):
                    for parts, shares in _CUTS:
                        tile = GemmTile(own, down, across, chunk, parts, shares, buffers)
                        count = tile.chunks(steps)
                        # Those threads add them up, each for some whole rows of another.
                        if own % shares or (shares > 1 and chunk < _FEWEST_STEPS):
                            continue
                        # A part is worth its sums where it has several chunks.
                        if tile.cut > 1 and count < _CHUNKS_OF_PART * tile.cut:
                            continue
                        if tile.filled(steps) > _MOST_FILLED * steps:
                            continue
                        if not fewest <= tile.threads <= _MOST_THREADS:
                            continue
                        tile = replace(tile, buffers=min(buffers, count // tile.cut))
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
    chunks = tile.chunks(steps) // tile.cut
    # A vector of a row serves as many steps as it has lanes.
    lanes = LANES if tile.steps % LANES == 0 else 1
    reads = (tile.rows / lanes + 1) * tile.steps
    together = lanes if inner % LANES == 0 else 1
    # Threads whose copies are all of one step of their rows compute its place once.
    straight = tile.threads % (tile.steps // together) == 0
    copied = (_COPY if straight else _PLACED_COPY) * tile.block_rows / together
    copied += _COPY * tile.block_channels / LANES
    copied *= tile.shares
    factors = chunks * tile.shares * tile.steps * (tile.block_rows + tile.block_channels)
    results = tile.block_rows * tile.block_channels
    return BlockWork(
        threads=tile.threads,
        registers=tile.registers,
        shared=FLOAT32.bytes * tile.shared_floats,
        chunks=chunks,
        chunk=tile.rows * LANES * tile.steps + reads + copied * tile.steps / tile.threads,
        stores=4 * tile.rows + (_ADDED * tile.rows if tile.shares > 1 else 0),
        buffers=tile.buffers,
        moved=FLOAT32.bytes * (factors + results),
    )
