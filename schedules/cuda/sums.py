"""Sums that the threads of a block make together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.ops.levels import levels_of
from tvmlcnn.targets import Gpu

from ..epilogue import inner_loops
from ..levels import levels_before
from .threads import lanes_of, move_vectors, unroll

# Sums side by side: 128 bytes, a line of the first cache, as neighbours in memory.
_ACROSS = 32
# Of which a memory access brings at least as many: 32 bytes.
_SECTOR = 8
_MOST_THREADS = 512
# A step of the last sum reads shared memory, one of a thread's own what lies far away; both have
# several on their way.
_LAST = 0.5
# Of a thread that has to ask whether there is a next step.
_CONDITION = 1.3
_UNROLLED = 16


def sums_side_by_side(rows: int, sums: int, device: Gpu) -> int:
    """Return how many neighbouring sums a block makes.

    Parameters
    ----------
    rows : int
    sums : int
        Of a row, which the result divides.
    device : Gpu
    """
    dividing = [n for n in range(1, 2 * _ACROSS + 1) if sums % n == 0]
    whole = [n for n in dividing if n % _SECTOR == 0] or dividing[-1:]
    busy = [n for n in whole if rows * sums // n >= device.multiprocessors]
    return min(busy or whole[:1], key=lambda n: abs(n - _ACROSS))


def parts_of(steps: int, across: int) -> list[int]:
    """Return into how many parts sums of so many steps may be cut, best first.

    Parameters
    ----------
    steps : int
    across : int
        Sums that a block makes side by side.
    """

    def cost(parts: int) -> float:
        own = -(-steps // parts)
        return own * (1.0 if steps % parts == 0 else _CONDITION) + _LAST * parts

    return sorted(range(1, min(steps, max(1, _MOST_THREADS // across)) + 1), key=cost)


def levels_of_parts(steps: int, parts: int) -> tuple[int, ...]:
    """Return the levels of a sum, the innermost first, of which the last one adds up parts."""
    return (*levels_of(-(-steps // parts)), parts)


def sum_together(sch: Schedule, main: SBlockRV, output: SBlockRV, across: int) -> None:
    """Sum up parts in the threads of a block, which meet in shared memory.

    Parameters
    ----------
    sch : Schedule
    main : SBlockRV
        The last level of a sum in levels, which adds up the parts.
    output : SBlockRV
        Stores what is made of the sums; its elements lie as theirs do.
    across : int
        Sums of a block: they divide the innermost axis. A thread makes neighbouring ones.
    """
    levels = levels_before(sch, main)
    _, (steps,) = inner_loops(sch, main)
    lanes = lanes_of(across)[0]
    threads = max(across, across // lanes * int(sch.get(steps).extent))
    # Of all loops as one, TVM does not see which of 40 channels of three pictures a block has.
    loops = sch.get_loops(output)
    last = max((n for n, loop in enumerate(loops) if int(sch.get(loop).extent) > 1), default=0)
    outer, place = sch.split(loops[last], [None, across])
    block = sch.fuse(*loops[:last], outer)
    place = sch.fuse(place, *loops[last + 1 :])
    sch.set_scope(main, 0, "local")
    sch.compute_at(main, place, preserve_unit_loops=True)
    _, (steps,) = inner_loops(sch, main)
    sch.set_scope(levels[-1], 0, "shared")
    store = sch.cache_write(levels[-1], 0, "local")
    sch.compute_at(store, block, preserve_unit_loops=True)
    # A block's first threads add up the parts.
    _, thread = sch.split(place, [1, threads])
    sch.bind(block, "blockIdx.x")
    sch.bind(thread, "threadIdx.x")
    *spatial, sums = inner_loops(sch, store)[0]
    vectors, lane = sch.split(sums, [None, lanes])
    sch.vectorize(lane)
    _, thread = sch.split(sch.fuse(*spatial, vectors), [1, threads])
    sch.bind(thread, "threadIdx.x")
    sum_up(sch, levels, thread, lanes, _UNROLLED)
    if int(sch.get(steps).extent) <= _UNROLLED:
        unroll(sch, steps)
    sch.decompose_reduction(main, steps)


def sum_up(
    sch: Schedule, levels: Sequence[SBlockRV], thread: LoopRV, lanes: int, unrolled: int
) -> None:
    """Have a thread make neighbouring sums in levels, of vectors that it loads.

    Parameters
    ----------
    sch : Schedule
    levels : sequence of SBlockRV
        The innermost first.
    thread : LoopRV
    lanes : int
        Neighbours.
    unrolled : int
        Steps of a level that are.
    """
    at, summed = thread, []
    for level in reversed(levels):
        sch.set_scope(level, 0, "local")
        sch.compute_at(level, at, preserve_unit_loops=True)
        spatial, reduced = inner_loops(sch, level)
        sch.reorder(*reduced, *spatial)
        unroll(sch, *spatial)
        if math.prod(int(sch.get(loop).extent) for loop in reduced) <= unrolled:
            unroll(sch, *reduced)
        at = reduced[-1]
        summed.append((level, reduced[0]))
    read = sch.cache_read(levels[0], 0, "local", consumer_blocks=levels[:1])
    sch.compute_at(read, at, preserve_unit_loops=True)
    move_vectors(sch, read, lanes, len(sch.get_loops(levels[0])) - len(spatial))
    for level, loop in summed:
        sch.decompose_reduction(level, loop)
