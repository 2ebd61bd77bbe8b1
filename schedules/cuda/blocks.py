"""What rules for GPUs do alike: copies by all threads of a block, and element-wise kernels."""

from __future__ import annotations

import tvm
from tvm.ir import TensorLoad
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from ..epilogue import left_over
from .threads import bind, block_sizes, lanes_of, load_beside, total, unroll

LANES = 4
"""Numbers of float32 that one load or store of a thread moves: 16 bytes (PTX ISA, ld and st)."""


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
    if (rest := left_over(sch, output)) is not None:
        by_elements(sch, rest)


def by_elements(sch: Schedule, block: SBlockRV) -> None:
    """Give each thread a vector of a block's elements, or one where they are no whole vectors.

    What is read comes by vectors too; between, each element is computed on its own, as operators
    are that have no vectors.
    """
    # What only moves stays one block: TVM takes one that keeps the order of memory for a view.
    moves = isinstance(sch.get(block).body.value, TensorLoad) and len(sch.get(block).reads) == 1
    store = block if moves else sch.cache_write(block, 0, "local")
    *outer, last = sch.get_loops(store) or [sch.add_unit_loop(store)]
    accesses = [*sch.get(block).reads, *sch.get(block).writes]
    types = {str(access.source.ty.dtype) for access in accesses}
    bytes = max(tvm.DataType(each).itemsize for each in types)
    # TVM has no vectors of truth values.
    count = 1 if "bool" in types else int(sch.get(last).extent)
    lanes = lanes_of(count, bytes)[0]
    rest, vector = sch.split(last, [None, lanes])
    outer.append(rest)
    if not moves:
        sch.compute_at(block, rest, preserve_unit_loops=True)
        unroll(sch, *sch.get_loops(block)[len(outer) :])
        load_beside(sch, block, rest, lanes)
    if lanes > 1:
        sch.vectorize(vector)
    bind(sch, outer, block_sizes(total(sch, outer))[0])
