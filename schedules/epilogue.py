"""What follows the sums of a kernel, and the loops that both have."""

from __future__ import annotations

import math
from typing import Any

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.sym import Analyzer
from tvm.tirx import IndexMap, IterVar

from tvmlcnn.ops import raveled

from .initial_sums import begin_with_bias


def inline_epilogue(sch: Schedule, main: SBlockRV, scope: str = "global") -> SBlockRV:
    """Inline what follows ``main``, as long as it is no larger, into its last block; return that.

    What reads few rows alone, as a transformer's first token, is left: the loops of ``main`` would
    be too few for its tiles. Sums begin with a bias. Where a squeeze-and-excitation's few scales
    are spread over a map, inlining would compute them again for each pixel; that is left as it is.
    What is made of other inputs for each element, as numbers of a residual's codes, is inlined too.
    Sums that are read in several ways up to something larger, as maxima that numbers are divided by
    and multiplied with, stay as they are.

    Parameters
    ----------
    sch : Schedule
    main : SBlockRV
    scope : str
        Of the sums where nothing follows them. On CPUs it is ``"global"``: TVM keeps small buffers
        of that scope on the stack, and LLVM those in registers; it would take buffers of scope
        ``"local"`` from the heap.
    """
    begin_with_bias(sch, main)
    size = elements(sch, main)

    def fits(blocks: list[SBlockRV], source: SBlockRV) -> bool:
        small = bool(blocks) and all(elements(sch, block) <= size for block in blocks)
        return small and _reads_most_rows(sch, blocks[0], source)

    while True:
        consumers = sch.get_consumers(main)
        if not fits(consumers, main):
            return sch.cache_write(main, 0, scope)
        inline_operands(sch, consumers[0], main)
        following = sch.get_consumers(consumers[0])
        if fits(following, consumers[0]):
            sch.compute_inline(consumers[0])
        elif len(consumers) == 1:
            return consumers[0]
        else:
            return sch.cache_write(main, 0, scope)


def left_over(sch: Schedule, output: SBlockRV) -> SBlockRV | None:
    """Make one block of what follows the main block's output over a larger shape, if anything."""
    consumers = sch.get_consumers(output)
    while consumers and (following := sch.get_consumers(consumers[0])):
        inline_operands(sch, consumers[0], output)
        sch.compute_inline(consumers[0])
        consumers = following
    if not consumers:
        return None
    inline_operands(sch, consumers[0], output)
    return consumers[0]


def inline_operands(sch: Schedule, block: SBlockRV, main: SBlockRV) -> None:
    """Inline what a block reads beside ``main``, where that is made for each of its elements."""
    for operand in sch.get_producers(block):
        is_main = sch.get_sref(operand).same_as(sch.get_sref(main))
        if not is_main and elements(sch, operand) == elements(sch, block):
            inline_operands(sch, operand, main)
            sch.compute_inline(operand)


def elements(sch: Schedule, block: SBlockRV) -> int:
    """Return how many elements a block computes."""
    iterators = sch.get(block).iter_vars
    return math.prod(int(v.dom.extent) for v in iterators if v.iter_type == IterVar.DataPar)


def _reads_most_rows(sch: Schedule, block: SBlockRV, source: SBlockRV) -> bool:
    """Tell whether what a block reads spans half of another one's result, along each axis of rows.

    Those that fill the last tile are fewer than that.
    """
    read, analyzer = sch.get(source).writes[0].source, Analyzer()
    for iterator in sch.get(block).iter_vars:
        analyzer.bind(iterator.var, iterator.dom)
    for region in sch.get(block).reads:
        if region.source.same_as(read):
            for along, extent in list(zip(region.region, read.ty.shape, strict=True))[:-1]:
                bound = analyzer.const_int_bound(along.min)
                if 2 * (bound.max_value - bound.min_value + int(along.extent)) < int(extent):
                    return False
    return True


def flatten_pixels(sch: Schedule, output: SBlockRV) -> None:
    """Iterate over the pixels of a map as over the rows of a matrix."""
    iterators = sch.get(output).iter_vars
    sizes = [int(iterator.dom.extent) for iterator in iterators]

    def flat(*place: Any) -> tuple[Any, Any]:
        return raveled(place[:-1], sizes[:-1]), place[-1]

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
