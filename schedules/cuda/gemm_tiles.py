"""Which tiles of an implicit GEMM are best, and what blocks of them do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from types import MappingProxyType

from tvmlcnn.targets import FLOAT32, Gpu

from .block_work import BlockWork, asked_of_blocks, time_of_blocks, time_of_parts
from .blocks import LANES
from .gemm_tile import OTHER_REGISTERS, GemmTile

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


def gemm_tiles(
    rows: int,
    channels: int,
    steps: int,
    groups: int,
    gpu: Gpu,
    work: Callable[[GemmTile], BlockWork | None],
) -> dict[GemmTile, float]:
    """Return tiles of a product: those of the least estimated time, or nearly, first.

    Of these, the ones come first that ask least of the GPU, in instructions and bytes together.

    Parameters
    ----------
    rows, channels, steps : int
        Of the product; the channels are one group's.
    groups : int
    gpu : Gpu
    work : callable
        Returns what a block of a tile does, None of a tile that is not to be.

    Returns
    -------
    dict of GemmTile to float
        The estimated cycles of each of them.
    """
    fitting = {
        tile: block for tile in _fitting(rows, channels, steps, gpu) if (block := work(tile))
    }
    several = {t: block for t, block in fitting.items() if block.resident(gpu) >= _RESIDENT}
    found = {}
    for tile, block in (several or fitting).items():
        blocks = -(-rows // tile.block_rows) * -(-channels // tile.block_channels)
        blocks *= groups * tile.parts
        again = time_of_parts(tile.parts, rows, channels * groups, gpu)
        time = time_of_blocks(block, blocks, gpu) + again
        found[tile] = time, asked_of_blocks(block, blocks, gpu) + again
    least = min((time for time, _ in found.values()), default=0.0)

    def order(tile: GemmTile) -> tuple[bool, float, int]:
        time, asked = found[tile]
        as_fast = time <= _AS_FAST * least
        return not as_fast, asked if as_fast else time, tile.parts

    near = sorted((tile for tile, (time, _) in found.items() if time <= 2 * least), key=order)
    return {tile: found[tile][0] for tile in near}


@cache  # of layers alike, and of what is asked of one of them in several ways
def copied_tiles(
    rows: int, channels: int, steps: int, groups: int, inner: int, gpu: Gpu
) -> Mapping[GemmTile, float]:
    """Return the same of a product whose panels are copied, ``inner`` steps of which lie together.

    Parameters
    ----------
    rows, channels, steps, groups, gpu
        As of `gemm_tiles`.
    inner : int
    """
    work = partial(_work_of_copies, steps=steps, inner=inner)
    return MappingProxyType(gemm_tiles(rows, channels, steps, groups, gpu, work))


@cache
def _fitting(rows: int, channels: int, steps: int, gpu: Gpu) -> tuple[GemmTile, ...]:
    return tuple(_every_fitting(rows, channels, steps, gpu))


def _every_fitting(rows: int, channels: int, steps: int, gpu: Gpu) -> Iterator[GemmTile]:
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


def _work_of_copies(tile: GemmTile, steps: int, inner: int) -> BlockWork:
    """Return what a block does, of a product of so many steps whose panels are copied."""
    together = LANES if tile.loaded > 1 and inner % LANES == 0 else 1
    # Threads whose copies are all of one step of their rows compute its place once.
    straight = tile.threads % (tile.steps // together) == 0
    return work_with(tile, steps, (_COPY if straight else _PLACED_COPY) / together)


def work_with(
    tile: GemmTile, steps: int, bring: float, registers: int = 0, moved: float = 1.0
) -> BlockWork:
    """Return what a block of a product of so many steps does.

    Parameters
    ----------
    tile : GemmTile
    steps : int
    bring : float
        Instructions of a thread to have an element of the panel in shared memory.
    registers : int
        That it takes, beside the sums and the usual others.
    moved : float
        Elements that are read of memory for each of the panel.
    """
    chunks = tile.chunks(steps) // tile.cut
    # A vector of a row serves as many steps as it has lanes.
    reads = (tile.rows / tile.loaded + 1) * tile.steps
    brought = bring * tile.block_rows + _COPY * tile.block_channels / LANES
    brought *= tile.shares * tile.steps / tile.threads
    factors = tile.shares * tile.steps * (moved * tile.block_rows + tile.block_channels)
    results = tile.block_rows * tile.block_channels
    return BlockWork(
        threads=tile.threads,
        registers=max(tile.registers, tile.sums + registers + OTHER_REGISTERS),
        shared=FLOAT32.bytes * tile.shared_floats,
        chunks=chunks,
        chunk=tile.rows * LANES * tile.steps + reads + brought,
        stores=4 * tile.rows + (_ADDED * tile.rows if tile.shares > 1 else 0),
        buffers=tile.buffers,
        moved=FLOAT32.bytes * (chunks * factors + results),
    )
