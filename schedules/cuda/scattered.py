"""Channels that are stored in another order than they are computed in."""

from __future__ import annotations

import tvm_ffi
from tvm.ir import Expr, Range, TensorLoad
from tvm.s_tir import SBlock, Schedule
from tvm.s_tir.schedule import SBlockRV
from tvm.sym import Analyzer
from tvm.tirx import BufferLoad, BufferRegion, BufferStore, IndexMap


def store_where_computed(sch: Schedule, output: SBlockRV, store: SBlockRV, main: SBlockRV) -> bool:
    """Have what permutes channels go by those that it reads, and store each where it belongs.

    A thread's neighbouring channels of a sum are then neighbours in its registers too.

    Parameters
    ----------
    sch : Schedule
    output : SBlockRV
        Makes of each sum what is stored.
    store : SBlockRV
        Stores it.
    main : SBlockRV
        Sums up.

    Returns
    -------
    bool
        Whether neighbouring channels are stored apart.
    """
    block, sums = sch.get(output), sch.get(main).writes[0].source
    loads: list[TensorLoad] = []
    tvm_ffi.structural_walk(block.body, [(TensorLoad, loads.append)])
    read = next(load for load in loads if load.source.same_as(sums))
    places = [iterator.var for iterator in block.iter_vars]
    if read.indices[-1].same_as(places[-1]):
        return False
    by_place = IndexMap(places, [*places[:-1], read.indices[-1]], None)
    sch.transform_layout(output, ("write", 0), by_place)
    for each in (output, store):
        sch.transform_block_layout(each, by_place)
        _simplify(sch, each)
    return True


def _simplify(sch: Schedule, block: SBlockRV) -> None:
    """Simplify where a block reads and writes, so that TVM sees which elements those are."""
    old, analyzer = sch.get(block), Analyzer()
    for iterator in old.iter_vars:
        analyzer.bind(iterator.var, iterator.dom)

    def load(old: TensorLoad) -> Expr:
        return BufferLoad(old.source, [analyzer.simplify(index) for index in old.indices])

    def store(old: BufferStore) -> BufferStore:
        indices = [analyzer.simplify(index) for index in old.indices]
        return BufferStore(old.buffer, old.value, indices)

    def region(old: BufferRegion) -> BufferRegion:
        axes = [Range.from_min_extent(analyzer.simplify(a.min), a.extent) for a in old.region]
        return BufferRegion(old.source, axes)

    new = SBlock(
        old.iter_vars,
        [region(each) for each in old.reads],
        [region(each) for each in old.writes],
        old.name_hint,
        tvm_ffi.structural_map(old.body, [(TensorLoad, load), (BufferStore, store)]),
        annotations=old.annotations,
    )
    sch.state.replace(sch.get_sref(block), new, {old: new})
