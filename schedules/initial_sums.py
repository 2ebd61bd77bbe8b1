"""What sums begin with: a bias, instead of zeros that it is added to in the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tvm_ffi
from tvm.ir import Range, TensorLoad
from tvm.s_tir import SBlock, Schedule
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx import (
    Add,
    BufferLoad,
    BufferRegion,
    BufferStore,
    Cast,
    FloatImm,
    IfThenElse,
    IntImm,
    IterVar,
    Var,
)


def begin_with_bias(sch: Schedule, main: SBlockRV) -> None:
    """Begin the sums of a block with what is added to them next, if that is known by channel.

    It saves an instruction for each vector of sums. Nothing happens where what follows the sums is
    something else, or reads them more than once.

    Parameters
    ----------
    sch : Schedule
    main : SBlockRV
    """
    sums = sch.get(main)
    if not _sums_numbers(sums):
        return
    buffer = sums.writes[0].source
    spatial = [v for v in sums.iter_vars if v.iter_type == IterVar.DataPar]
    # The iterators of the sums that the axes of a buffer are; none for those of other places.
    axes: list[IterVar | None] = list(spatial)
    current = main
    while len(consumers := sch.get_consumers(current)) == 1:
        (current,) = consumers
        block = sch.get(current)
        load = _only_load(block, buffer)
        if load is None:
            return
        known = _iterators(block, load, axes)
        if not block.body.value.same_as(load):
            found = _addition(block, load, known)
            if found is not None:
                addition, bias = found
                _replace(sch, current, block, _without(block.body, addition, load), block.init)
                begun = BufferStore(sums.init.buffer, bias, sums.init.indices)
                _replace(sch, main, sums, sums.body, begun, bias)
            return
        buffer = block.body.buffer
        axes = [known.get(index) for index in block.body.indices]


def _sums_numbers(block: SBlock) -> bool:
    init, body = block.init, block.body
    if not isinstance(init, BufferStore) or not isinstance(init.value, FloatImm | IntImm):
        return False
    while isinstance(body, IfThenElse):  # of taps that may lie outside the map
        body = body.then_case
    if init.value.value != 0 or not isinstance(body.value, Add):
        return False
    # An instruction that adds products of narrower numbers is put only where nothing else is read.
    casts: list[Cast] = []
    tvm_ffi.structural_walk(body.value, [(Cast, casts.append)])
    return isinstance(init.value, IntImm) or not casts


def reads_of_products(sch: Schedule, update: SBlockRV) -> None:
    """Have a block that adds products say no more that it reads what its sums begin with.

    Instructions are put only where nothing is read but what they read.
    """
    block = sch.get(update)
    reads = [region for region in block.reads if _loads(block.body, region)]
    if len(reads) < len(block.reads):
        new = SBlock(
            block.iter_vars, reads, block.writes, block.name_hint, block.body, block.init,
            annotations=block.annotations,
        )  # fmt: skip
        sch.state.replace(sch.get_sref(update), new, {block: new})


def _loads(body: Any, region: BufferRegion) -> bool:
    """Tell whether what a block does loads something of a buffer."""
    loaded: list[TensorLoad] = []
    tvm_ffi.structural_walk(body, [(TensorLoad, loaded.append)])
    return any(load.source.same_as(region.source) for load in loaded)


def _only_load(block: SBlock, buffer: Var) -> TensorLoad | None:
    """Return the load of a buffer, where the block stores what it makes of only one."""
    loads: list[TensorLoad] = []
    tvm_ffi.structural_walk(block.body, [(TensorLoad, loads.append)])
    mine = [load for load in loads if load.source.same_as(buffer)]
    return mine[0] if len(mine) == 1 and isinstance(block.body, BufferStore) else None


def _without(body: BufferStore, addition: Add, left: TensorLoad) -> BufferStore:
    """Return a store with what is left of an addition in its place."""
    return tvm_ffi.structural_map(
        body, [(Add, lambda each: left if each.same_as(addition) else each)]
    )


def _iterators(block: SBlock, load: TensorLoad, axes: list[IterVar | None]) -> dict[Var, IterVar]:
    """Return the iterators of the sums that a block's variables are, where both go as far."""
    extents = {v.var: int(v.dom.extent) for v in block.iter_vars}
    return {
        index: axis
        for index, axis in zip(load.indices, axes, strict=True)
        if axis is not None and extents.get(index) == int(axis.dom.extent)
    }


def _addition(
    block: SBlock, load: TensorLoad, known: Mapping[Var, IterVar]
) -> tuple[Add, TensorLoad | IntImm] | None:
    """Return where a tensor or an integer is added to the sums, and it as the sums know it."""
    additions: list[Add] = []
    tvm_ffi.structural_walk(block.body, [(Add, additions.append)])
    for addition in additions:
        if load.same_as(addition.a):
            other = addition.b
        elif load.same_as(addition.b):
            other = addition.a
        else:
            continue
        if isinstance(other, IntImm):
            return addition, other
        if not isinstance(other, TensorLoad) or other.ty.dtype != load.ty.dtype:
            return None
        places = {v.var: IntImm(v.var.ty.dtype, 0) for v in block.iter_vars if v.dom.extent == 1}
        *outer, channel = other.indices
        variables: list[Var] = []
        tvm_ffi.structural_walk(channel, [(Var, variables.append)])
        if not all(v in known for v in variables) or not all(
            isinstance(index, IntImm) or index in places for index in outer
        ):
            return None
        channel = tvm_ffi.structural_map(channel, [(Var, lambda v: known[v].var)])
        indices = [*(places.get(index, index) for index in outer), channel]
        return addition, BufferLoad(other.source, indices)
    return None


def _replace(
    sch: Schedule,
    name: SBlockRV,
    old: SBlock,
    body: Any,
    init: Any,
    begun: TensorLoad | IntImm | None = None,
) -> None:
    more = []
    if isinstance(begun, TensorLoad):
        first = [Range.from_min_extent(index, 1) for index in begun.indices]
        more = [BufferRegion(begun.source, first)]
    # What is no longer added there is no longer read there.
    reads = [region for region in old.reads if _loads(body, region)] + more
    new = SBlock(
        old.iter_vars, reads, old.writes, old.name_hint, body, init, annotations=old.annotations
    )
    sch.state.replace(sch.get_sref(name), new, {old: new})
