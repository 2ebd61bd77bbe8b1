"""Kernels that compute each element on its own, or move it, on a GPU."""

from __future__ import annotations

from functools import partial

from tvm import te
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import PrimFunc

from tvmlcnn import ops
from tvmlcnn.targets import Gpu

from ..decisions import Decisions
from ..inlining import inline_elementwise, is_reduction
from ..layer import Concatenation, Layer
from ..own_loops import has_own_loops
from ..rule import Definition, Plan, Rule
from ..steps import cut, loops_of, read_across
from .blocks import by_elements
from .threads import unroll

# A side of a tile: the threads of a warp read a line of 128 bytes, and write another one.
_SIDE = 32
# Of a block, each of which moves four elements of a tile.
_THREADS = 256
# Of a side that is worth a tile: eight are the 32 bytes that memory is read by.
_SHORTEST = 8


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take concatenations of what could not be computed side by side."""
    if not isinstance(layer, Concatenation):
        return None
    definition = partial(Definition, _concatenate, name="concatenate", takes_epilogue=False)
    return Plan(ELEMENTWISE.name, layer.element, "", None, definition=definition)


def _concatenate(*tensors: te.Tensor) -> te.Tensor:
    return ops.concatenate(list(tensors))


def _takes(function: PrimFunc) -> bool:
    """Take functions that sum up nothing."""
    sch = Schedule(function)
    if has_own_loops(sch):
        return False
    blocks = sch.get_child_blocks(sch.get_sblock("root"))
    return not any(is_reduction(sch, block) for block in blocks)


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Give each vector of elements to a thread, or a tile to a block where lines are turned."""
    inline_elementwise(sch)
    for block in sch.get_child_blocks(sch.get_sblock("root")):
        if not _transpose(sch, block):
            by_elements(sch, block, device)
    return sch


def _transpose(sch: Schedule, block: SBlockRV) -> bool:
    """Lay out a block that reads along another loop than it writes; False if it does not.

    A tile is read along lines of the one, and written along lines of the other from shared memory.
    Its lines there are one element longer than the banks are many, so that a column of it is in
    all of them (M. Harris, "An Efficient Matrix Transpose in CUDA C/C++", 2013).
    """
    loops = loops_of(sch, block)
    across = read_across(loops)
    if loops is None or across is None or min(across.extent, loops[-1].extent) < _SHORTEST:
        return False
    number = across.steps[1:].index(1)
    parts = cut(sch, block, loops)
    outer = [part for part, loop in zip(parts[:-1], loops, strict=False) if loop is not across]
    columns, column = sch.split(parts[loops.index(across)], [None, _SIDE])
    rows, row = sch.split(parts[-1], [None, _SIDE])
    sch.reorder(*outer, columns, rows, column, row)
    place = sch.fuse(*outer, columns, rows)
    sch.bind(place, "blockIdx.x")
    tile = sch.cache_read(block, number, "shared", consumer_blocks=[block])
    sch.compute_at(tile, place, preserve_unit_loops=True)
    inside = sch.get_loops(tile)[1:]
    long = [axis for axis, loop in enumerate(inside) if int(sch.get(loop).extent) > 1]
    if len(long) > 1:
        sch.storage_align(tile, 0, axis=long[-2], factor=_SIDE, offset=1)
    _share(sch, inside)
    _share(sch, [column, row])
    return True


def _share(sch: Schedule, loops: list[LoopRV]) -> None:
    """Give neighbours of a tile to neighbouring threads."""
    rounds, thread = sch.split(sch.fuse(*loops), [None, _THREADS])
    sch.bind(thread, "threadIdx.x")
    unroll(sch, rounds)


ELEMENTWISE = Rule("elementwise", 1, type(None), _plan, _schedule, _takes)
