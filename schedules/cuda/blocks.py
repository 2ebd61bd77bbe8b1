"""What rules for GPUs do alike: copies by all threads of a block, and element-wise kernels."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from ..epilogue import inline_operands

LANES = 4
"""Numbers of float32 that one load or store of a thread moves: 16 bytes (PTX ISA, ld and st)."""
# Enough for all latencies with few registers a thread; any multiple of a warp would do.
_THREADS = 256


def copy_together(
    sch: Schedule, block: SBlockRV, loops: list[LoopRV], threads: int, lanes: int
) -> None:
    """Let a block's threads share the elements of a copy, neighbours next to each other."""
    copied = sch.fuse(*loops)
    if lanes > 1:
        copied, vector = sch.split(copied, [None, lanes])
        sch.vectorize(vector)
    rounds, thread = sch.split(copied, [None, threads])
    sch.bind(thread, "threadIdx.x")
    sch.unroll(rounds)


def finish(sch: Schedule, output: SBlockRV) -> None:
    """Lay out what follows the output of the main block over a larger shape, if anything."""
    consumers = sch.get_consumers(output)
    while consumers and (following := sch.get_consumers(consumers[0])):
        inline_operands(sch, consumers[0], output)
        sch.compute_inline(consumers[0])
        consumers = following
    if consumers:
        inline_operands(sch, consumers[0], output)
        by_elements(sch, consumers[0])


def by_elements(sch: Schedule, block: SBlockRV) -> None:
    """Give each thread a vector of a block's elements, or one where they are no whole vectors."""
    loops = sch.get_loops(block)
    vector = None
    if int(sch.get(loops[-1]).extent) % LANES == 0:
        loops[-1], vector = sch.split(loops[-1], [None, LANES])
    place, thread = sch.split(sch.fuse(*loops), [None, _THREADS])
    sch.bind(place, "blockIdx.x")
    sch.bind(thread, "threadIdx.x")
    if vector is not None:
        sch.vectorize(vector)
