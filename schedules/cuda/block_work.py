"""What a block of a GEMM does, and how long so many blocks of it take."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvmlcnn.targets import Gpu, resident_blocks

from .blocks import LANES
from .threads import LAUNCH, WARP

# So many warps of independent multiply-adds keep the schedulers of a multiprocessor busy: four
# of them, each with two warps in turn.
_BUSY_WARPS = 8
# Instructions a warp: of a block's beginning and end, of a chunk's barrier and addresses.
_OF_BLOCK, _OF_CHUNK = 60, 24
# The latency of a load from memory, in instructions of a warp; a chunk waits for it unless the
# multiply-adds of the one before take as long.
_LATENCY = 400
# Bytes that a multiprocessor gets from the second cache in a cycle: half of the 64 that NVIDIA's
# A100 white paper says, since neighbours want theirs at the same time.
_BYTES = 32


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
    return LAUNCH + (6 * parts + 10) * each_sum
