"""Sums that the threads of a block make together."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from tvmlcnn.ops.levels import levels_of
from tvmlcnn.targets import Gpu

from ..epilogue import inner_loops
from ..levels import levels_before
from .threads import unroll

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
    """Return how many threads may share a sum of so many steps, best first.

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
        Sums of a block: they divide the innermost axis.
    """
    *inner, own = levels_before(sch, main)
    _, (steps,) = inner_loops(sch, main)
    threads = across * int(sch.get(steps).extent)
    # Of all loops as one, TVM does not see which of 40 channels of three pictures a block has.
    loops = sch.get_loops(output)
    last = max((n for n, loop in enumerate(loops) if int(sch.get(loop).extent) > 1), default=0)
    outer, place = sch.split(loops[last], [None, across])
    block = sch.fuse(*loops[:last], outer)
    place = sch.fuse(place, *loops[last + 1 :])
    sch.set_scope(main, 0, "local")
    sch.compute_at(main, place, preserve_unit_loops=True)
    _, (steps,) = inner_loops(sch, main)
    sch.set_scope(own, 0, "shared")
    sch.compute_at(own, block, preserve_unit_loops=True)
    # A block's first threads add up the parts.
    _, thread = sch.split(place, [1, threads])
    sch.bind(block, "blockIdx.x")
    sch.bind(thread, "threadIdx.x")
    spatial, (step,) = inner_loops(sch, own)
    sch.bind(sch.fuse(*spatial), "threadIdx.x")
    summed = [(main, steps), (own, step)]
    for level in reversed(inner):
        sch.set_scope(level, 0, "local")
        sch.compute_at(level, step, preserve_unit_loops=True)
        _, (step,) = inner_loops(sch, level)
        summed.append((level, step))
    for level, step in summed:
        if int(sch.get(step).extent) <= _UNROLLED:
            unroll(sch, step)
        sch.decompose_reduction(level, step)
