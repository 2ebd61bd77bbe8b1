"""What rules for GPUs do alike: copies by all threads of a block, and element-wise kernels."""

from __future__ import annotations

import tvm
from tvm.ir import TensorLoad
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.targets import Gpu

from ..epilogue import left_over
from .threads import bind, block_sizes, cycles, lanes_of, load_beside, total, unroll

LANES = 4
"""Numbers of float32 that one load or store of a thread moves: 16 bytes (PTX ISA, ld and st)."""

# Vectors that a thread may compute one after the other, whose addresses differ by constants.
_VECTORS = (1, 2, 4, 7, 8)
# Instructions of a thread for where it is, as counted in code for it, and of each vector.
_FIXED, _OF_VECTOR = 25, 8


def share_out(sch: Schedule, loops: list[LoopRV], threads: int, lanes: int = 1) -> LoopRV:
    """Let a block's threads share the steps of nested loops, neighbours next to each other.

    Parameters
    ----------
    sch : Schedule
    loops : list of LoopRV
    threads : int
    lanes : int
        Steps of the innermost loop that are a thread's, as a vector.

    Returns
    -------
    LoopRV
        The threads' loop.
    """
    shared = sch.fuse(*loops)
    if lanes > 1:
        shared, vector = sch.split(shared, [None, lanes])
        sch.vectorize(vector)
    rounds, thread = sch.split(shared, [None, threads])
    sch.bind(thread, "threadIdx.x")
    sch.unroll(rounds)
    return thread


def finish(sch: Schedule, output: SBlockRV, device: Gpu) -> None:
    """Lay out what follows the output of the main block over a larger shape, if anything."""
    if (rest := left_over(sch, output)) is not None:
        by_elements(sch, rest, device)


def by_elements(sch: Schedule, block: SBlockRV, device: Gpu) -> None:
    """Give each thread vectors of a block's elements, or single ones where there are no vectors.

    What is read comes by vectors too; between, each element is computed on its own, as operators
    are that have no vectors. A thread's vectors lie apart along an outer loop, so that what is the
    same for all of them, as a channel's scale, is loaded once.
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
    loops = [*outer, rest]
    long = next((n for n, loop in enumerate(loops) if int(sch.get(loop).extent) > 1), 0)
    apart = _vectors_of_thread(int(sch.get(loops[long]).extent), total(sch, loops), device)
    own, loops[long] = sch.split(loops[long], [apart, None])
    sch.reorder(*loops, own, vector)
    if not moves:
        sch.compute_at(block, own, preserve_unit_loops=True)
        unroll(sch, *sch.get_loops(block)[len(loops) + 1 :])
        load_beside(sch, block, own, lanes)
    if lanes > 1:
        sch.vectorize(vector)
    sch.unroll(own)
    bind(sch, loops, block_sizes(total(sch, loops))[0])


def _vectors_of_thread(extent: int, vectors: int, device: Gpu) -> int:
    """Return how many of all vectors a thread computes, that divide a loop over some of them."""

    def cost(own: int) -> float:
        return cycles(_FIXED + own * _OF_VECTOR, vectors // own, device)

    return min((n for n in _VECTORS if extent % n == 0), key=cost)
