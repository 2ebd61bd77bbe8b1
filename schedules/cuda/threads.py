"""Giving loops to the threads of a GPU, and having threads move vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tvm
import tvm_ffi
from tvm.ir import TensorLoad
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import BufferRegion, IntImm, Var

from tvmlcnn.targets import FLOAT32, Gpu

WARP = 32
_LOAD_BYTES, _APART = 16, 4
# Instructions that a multiprocessor begins in a cycle, each for a warp: CUDA C++ programming guide,
# "Architecture"; four from 5.0 to 12.0.
SCHEDULERS = 4
LAUNCH = 1500
"""Cycles from the end of one kernel of a graph until the next one computes: about a microsecond."""
# Cycles from one instruction of a warp to its next, where a scheduler has no other warp: results
# are there after four to six, and a thread that computes several outputs has work meanwhile.
_ALONE = 2
# Threads of a block: enough to fill a multiprocessor by as many blocks as it takes, few enough that
# it is left by one block after the other.
_LEAST, _USUAL, _MOST = 64, 128, 256
# What a thread's condition costs that it has something to do: it stands before each load.
_CONDITION = 1.5


def cycles(instructions: float, threads: int, device: Gpu) -> float:
    """Return how long so many threads, of so many instructions each, keep a multiprocessor.

    Fewer threads of more instructions begin to lose where schedulers have nothing to choose from.
    """
    warps = threads / (WARP * SCHEDULERS * device.multiprocessors)
    return instructions * max(warps, _ALONE)


def lanes_of(count: int, bytes: int = FLOAT32.bytes) -> list[int]:
    """Return how many neighbours a thread can load at once, most first.

    Parameters
    ----------
    count : int
        Of neighbours, which it divides.
    bytes : int
        Of each of them; a load moves up to 16 (PTX ISA, ld and st).
    """
    # Of bytes that lie apart TVM has no more than four in CUDA C++.
    return [n for n in lanes_together(count, bytes) if bytes > 1 or n <= _APART]


def lanes_together(count: int, bytes: int) -> list[int]:
    """Return the same of neighbours that are only copied, and lie together in either place."""
    return [n for n in (16, 8, 4, 2, 1) if count % n == 0 and n * bytes <= _LOAD_BYTES]


def block_sizes(threads: int) -> list[int]:
    """Return how many threads a block may have, best first.

    Those that divide the threads and fill warps are: no thread has to ask if it has work.
    """
    if threads <= _LEAST:
        return [threads]

    def cost(size: int) -> tuple[float, float]:
        warps = -(-size // WARP) * WARP / size
        idle = warps if threads % size == 0 else warps * _CONDITION
        return round(idle, 1), abs(math.log2(size / _USUAL))

    dividing = (n for n in range(_LEAST, _MOST + 1) if threads % n == 0)
    return sorted({*dividing, min(threads, _USUAL)}, key=cost)


def bind(sch: Schedule, loops: Sequence[LoopRV], size: int) -> LoopRV:
    """Give each step of some nested loops to a thread; return the threads' loop.

    Parameters
    ----------
    sch : Schedule
    loops : sequence of LoopRV
    size : int
        Threads of a block.
    """
    flat = sch.fuse(*loops)
    block, thread = sch.split(flat, [None, min(size, int(sch.get(flat).extent))])
    sch.bind(block, "blockIdx.x")
    sch.bind(thread, "threadIdx.x")
    return thread


def total(sch: Schedule, loops: Sequence[LoopRV]) -> int:
    """Return how many steps nested loops have."""
    return math.prod(int(sch.get(loop).extent) for loop in loops)


def unroll(sch: Schedule, *loops: LoopRV) -> None:
    """Unroll loops."""
    for loop in loops:
        sch.unroll(loop)


def move_vectors(sch: Schedule, block: SBlockRV, lanes: int, around: int) -> None:
    """Unroll a block that moves elements, but the ``around`` outermost of its loops.

    The innermost loop is moved by vectors, where they divide it.
    """
    *outer, last = sch.get_loops(block)[around:]
    if lanes > 1 and int(sch.get(last).extent) % lanes == 0:
        rest, vector = sch.split(last, [None, lanes])
        sch.vectorize(vector)
        last = rest
    unroll(sch, *outer, last)


def load_beside(sch: Schedule, block: SBlockRV, at: LoopRV, lanes: int) -> None:
    """Have what an epilogue reads of global memory come to a thread by vectors.

    Parameters
    ----------
    sch : Schedule
    block : SBlockRV
    at : LoopRV
        Around what a thread computes of it.
    lanes : int
    """
    around = _depth(sch, block, at)
    for number, region in enumerate(sch.get(block).reads):
        buffer = region.source
        of_many = math.prod(int(n) for n in buffer.ty.shape) > 1
        if str(buffer.scope()) == "global" and of_many and _is_plain(region):
            read = sch.cache_read(block, number, "local", consumer_blocks=[block])
            sch.compute_at(read, at, preserve_unit_loops=True)
            bytes = tvm.DataType(str(buffer.ty.dtype)).itemsize
            move_vectors(sch, read, lanes_of(lanes, bytes)[0], around)


def _is_plain(region: BufferRegion) -> bool:
    """Tell whether an element is read whose place is the block's own, along the last axis at least.

    Elsewhere it may be computed of the block's place, but not of what other tensors say, nor of
    several of its axes, as where it is reshaped: TVM does not see then which elements a thread
    reads, and would give it room for all of them.
    """
    loads: list[TensorLoad] = []
    for axis in region.region:
        places: list[Var] = []
        tvm_ffi.structural_walk(axis.min, [(TensorLoad, loads.append), (Var, places.append)])
        if len({str(place.name) for place in places}) > 1:
            return False
    alone = all(isinstance(axis.extent, IntImm) and axis.extent == 1 for axis in region.region)
    return alone and not loads and isinstance(region.region[-1].min, Var | IntImm)


def _depth(sch: Schedule, block: SBlockRV, at: LoopRV) -> int:
    """Return how many loops of a block there are up to one of them."""
    wanted_ = sch.get_sref(at)
    return 1 + next(
        n for n, loop in enumerate(sch.get_loops(block)) if sch.get_sref(loop).same_as(wanted_)
    )


def window_in_registers(sch: Schedule, main: SBlockRV) -> SBlockRV:
    """Return the block that puts what ``main`` reads of maps, with its borders, into registers."""
    for block in sch.get_producers(main):
        if sch.get(block).name_hint == "pad":
            sch.set_scope(block, 0, "local")
            return block
    return sch.cache_read(main, 0, "local", consumer_blocks=[main])
