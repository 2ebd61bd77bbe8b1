"""What rules for CPUs do alike: the epilogue of the main block, its inner loops, vectors."""

from __future__ import annotations

import math
from typing import Any

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import IndexMap, IterVar

from tvmlcnn.targets import Core

from .initial_sums import begin_with_bias
from .padding import without_borders
from .tiles import power_of_two_divisor


def inline_epilogue(sch: Schedule, main: SBlockRV) -> SBlockRV:
    """Inline what follows ``main``, as long as it is no larger, into its last block; return that.

    Sums begin with a bias. Where a squeeze-and-excitation's few scales are spread over a map,
    inlining would compute them again for each pixel; `spread` schedules what is left then. What is
    made of other inputs for each element, as numbers of a residual's codes, is inlined too.
    """
    begin_with_bias(sch, main)
    size = _elements(sch, main)
    while True:
        consumers = sch.get_consumers(main)
        if not consumers or _elements(sch, consumers[0]) > size:
            # TVM keeps small buffers of this scope on the stack, and LLVM those in registers; it
            # would take buffers of scope "local" from the heap.
            return sch.cache_write(main, 0, "global")
        _inline_operands(sch, consumers[0], main)
        following = sch.get_consumers(consumers[0])
        if not following or _elements(sch, following[0]) > size:
            return consumers[0]
        sch.compute_inline(consumers[0])


def _inline_operands(sch: Schedule, block: SBlockRV, main: SBlockRV) -> None:
    """Inline what a block reads beside ``main``, where that is made for each of its elements."""
    for operand in sch.get_producers(block):
        is_main = sch.get_sref(operand).same_as(sch.get_sref(main))
        if not is_main and _elements(sch, operand) == _elements(sch, block):
            _inline_operands(sch, operand, main)
            sch.compute_inline(operand)


def spread(sch: Schedule, output: SBlockRV, core: Core) -> None:
    """Schedule what follows the output of the main block over a larger shape, if anything."""
    consumers = sch.get_consumers(output)
    while consumers and (following := sch.get_consumers(consumers[0])):
        _inline_operands(sch, consumers[0], output)
        sch.compute_inline(consumers[0])
        consumers = following
    if consumers:
        _inline_operands(sch, consumers[0], output)
        split_over_cores_and_lanes(sch, consumers[0], core)


def _elements(sch: Schedule, block: SBlockRV) -> int:
    """Return how many elements a block computes."""
    iterators = sch.get(block).iter_vars
    return math.prod(int(v.dom.extent) for v in iterators if v.iter_type == IterVar.DataPar)


def flatten_pixels(sch: Schedule, output: SBlockRV) -> None:
    """Iterate over the pixels of a map as over the rows of a matrix."""
    iterators = sch.get(output).iter_vars
    sizes = [int(iterator.dom.extent) for iterator in iterators]

    def flat(row: Any, *place: Any) -> tuple[Any, Any]:
        *inner, channel = place
        for index, extent in zip(inner, sizes[1:-1], strict=True):
            row = row * extent + index
        return row, channel

    if len(sizes) > 2:
        index_map = IndexMap.from_func(flat, ndim=len(sizes), index_dtype=iterators[0].var.ty.dtype)
        sch.transform_block_layout(output, index_map)


def inner_loops(sch: Schedule, block: SBlockRV) -> tuple[list[LoopRV], list[LoopRV]]:
    """Return the spatial and the reduction loops of a block's iterators, after compute_at."""
    iterators = sch.get(block).iter_vars
    spatial: list[LoopRV] = []
    reduced: list[LoopRV] = []
    for loop, iterator in zip(sch.get_loops(block)[-len(iterators) :], iterators, strict=True):
        (reduced if iterator.iter_type == IterVar.CommReduce else spatial).append(loop)
    return spatial, reduced


def vectorize(sch: Schedule, block: SBlockRV, core: Core) -> None:
    """Vectorize the innermost loop of a block that moves data."""
    last = sch.get_loops(block)[-1]
    lanes = power_of_two_divisor(int(sch.get(last).extent), core.lanes)
    if lanes not in core.vectors():
        # Borders apart, LLVM finds the vectors itself.
        without_borders(sch, last)
        return
    _, vector = sch.split(last, [None, lanes])
    sch.vectorize(vector)


def vectorize_copy(sch: Schedule, block: SBlockRV, core: Core) -> None:
    """Run a block that only moves data with vectors, split over the cores.

    The borders of a padded map apart, its rows are moved whole.
    """
    *outer, column = sch.get_loops(block)[:-1]
    vectorize(sch, block, core)
    without_borders(sch, column)
    sch.parallel(sch.fuse(*outer) if outer else column)


def split_over_cores_and_lanes(sch: Schedule, block: SBlockRV, core: Core) -> LoopRV | None:
    """Parallelize the outer loops, vectorize the innermost; return the loop around the vector."""
    loops = sch.get_loops(block)
    if not loops:
        return None
    *outer, last = loops
    lanes = power_of_two_divisor(int(sch.get(last).extent), 2 * core.lanes)
    if not outer and lanes < core.lanes < int(sch.get(last).extent):
        # LLVM makes vectors of a whole line, and knows what to do with its end.
        share, rest = sch.split(last, [core.count, None])
        without_borders(sch, rest)
        sch.parallel(share)
        return rest
    rest, vector = sch.split(last, [None, lanes])
    sch.vectorize(vector)
    if outer:
        sch.parallel(sch.fuse(*outer))
    else:
        sch.parallel(rest)
    return rest
