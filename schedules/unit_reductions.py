"""Reductions of a single step, which are none."""

from __future__ import annotations

import tvm_ffi
from tvm.ir import Expr, TensorLoad
from tvm.s_tir import SBlock
from tvm.tirx import BufferStore, IterVar, PrimFunc


def without_unit_reductions(function: PrimFunc) -> PrimFunc:
    """Return a function whose blocks that reduce over one element each compute it at once.

    dlight takes the axes of one element away, and then what remains for a block without a
    reduction: it inlined what follows into the step *and* into what the sum begins with.
    """
    body = tvm_ffi.structural_map(function.body, [(SBlock, _at_once)])
    return function.with_body(body)


def _at_once(block: SBlock) -> SBlock:
    reduced = [v for v in block.iter_vars if v.iter_type == IterVar.CommReduce]
    single = all(int(v.dom.extent) == 1 for v in reduced)
    if block.init is None or not single or not isinstance(block.init, BufferStore):
        return block
    begin = block.init

    def value(load: TensorLoad) -> Expr:
        return begin.value if load.source.same_as(begin.buffer) else load

    body = tvm_ffi.structural_map(block.body, [(TensorLoad, value)])
    axes = [IterVar(v.dom, v.var, IterVar.DataPar, v.thread_tag) for v in block.iter_vars]
    return SBlock(
        axes,
        block.reads,
        block.writes,
        block.name_hint,
        body,
        None,
        block.alloc_buffers,
        block.match_buffers,
        block.annotations,
    )
