"""Give element-wise kernels flat tensors, where their axes are in the way of vectors.

A kernel whose innermost axis no vector divides, as that of a map of 7x7, would be computed in short
vectors; one that was fused with a change of shape would find the axes of each lane by divisions.
Where every element is computed of those at the same place in memory, axes mean nothing: its
tensors are seen as lines, which costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import tvm
import tvm_ffi
from tvm import ir, relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx import IndexMap, IterVar, PrimFunc

from tvmlcnn.graph.attributes import ints
from tvmlcnn.graph.constants import is_call_of
from tvmlcnn.graph.variables import emitted
from tvmlcnn.schedules import ATTRIBUTE
from tvmlcnn.targets import Device


def flat_elementwise(device: Device) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass, which asks the device for the length of its vectors."""
    lanes = device.lanes

    def rewrite(mod: tvm.IRModule) -> tvm.IRModule:
        flat = {}
        for variable, function in mod.functions.items():
            if isinstance(function, PrimFunc) and ATTRIBUTE not in function.attrs:
                found = _flattened(function, lanes)
                if found is not None:
                    flat[variable.name_hint] = found
        calls = _Calls(mod, flat)
        calls.builder_.update_func(mod.get_global_var("main"), calls.visit_expr(mod["main"]))
        result = calls.builder_.finalize()
        return tvm.IRModule(
            {v: f for v, f in result.functions.items() if v.name_hint not in flat},
            attrs=result.attrs,
        )

    return rewrite


def _flattened(function: PrimFunc, lanes: int) -> PrimFunc | None:
    """Return the function of flat tensors, None where it has none or gains nothing."""
    sizes = [math.prod(ints(buffer.ty.shape)) for buffer in function.params]
    count = sizes[-1]
    if count < 2 or any(size not in (1, count) for size in sizes):
        return None
    if all(len(buffer.ty.shape) < 2 for buffer in function.params):
        return None
    sch = Schedule(function)
    try:
        block = _only_block(sch)
        if block is None or not _gains(sch, block, lanes):
            return None
        read, written = sch.get(block).reads, sch.get(block).writes
        for kind, regions in (("read", read), ("write", written)):
            for number, region in enumerate(regions):
                shape = ints(region.source.ty.shape)
                if math.prod(shape) == count and len(shape) > 1:
                    sch.transform_layout(block, (kind, number), _line(sch, block, shape))
        shape = [int(iterator.dom.extent) for iterator in sch.get(block).iter_vars]
        if len(shape) > 1:
            sch.transform_block_layout(block, _line(sch, block, shape))
    except (ScheduleError, ValueError):  # an access that is no mapping of the axes
        return None
    return sch.mod["main"] if _is_flat(sch, block) else None


def _only_block(sch: Schedule) -> SBlockRV | None:
    """Return the block that is left when all others are part of it, None where it sums up."""
    root = sch.get_sblock("root")
    for block in sch.get_child_blocks(root):
        if any(v.iter_type != IterVar.DataPar for v in sch.get(block).iter_vars):
            return None
        if sch.get_consumers(block):
            sch.compute_inline(block)
    blocks = sch.get_child_blocks(root)
    return blocks[0] if len(blocks) == 1 else None


def _gains(sch: Schedule, block: SBlockRV, lanes: int) -> bool:
    """Tell whether vectors would be short, or places divided for; what only moves is a view."""
    if isinstance(sch.get(block).body.value, ir.TensorLoad):
        return False
    iterators = sch.get(block).iter_vars
    indices = [index for access in _accesses(sch, block) for index in access.indices]
    plain = all(isinstance(index, tirx.Var | tirx.IntImm) for index in indices)
    return not plain or int(iterators[-1].dom.extent) % (2 * lanes) != 0


def _line(sch: Schedule, block: SBlockRV, shape: Sequence[int]) -> IndexMap:
    def flat(*place: Any) -> list[Any]:
        index = place[0]
        for extent, axis in zip(shape[1:], place[1:], strict=True):
            index = index * extent + axis
        return [index]

    dtype = sch.get(block).iter_vars[0].var.ty.dtype
    return IndexMap.from_func(flat, ndim=len(shape), index_dtype=dtype)


def _is_flat(sch: Schedule, block: SBlockRV) -> bool:
    """Tell whether each access is of the element in turn, or of an only one."""
    (iterator,) = sch.get(block).iter_vars
    return all(
        (len(access.indices) == 1 and access.indices[0].same_as(iterator.var))
        or all(isinstance(index, tirx.IntImm) for index in access.indices)
        for access in _accesses(sch, block)
    )


def _accesses(sch: Schedule, block: SBlockRV) -> list[Any]:
    found: list[Any] = []
    body = sch.get(block).body
    tvm_ffi.structural_walk(body, (tirx.BufferStore, found.append))
    tvm_ffi.structural_walk(body, (ir.TensorLoad, found.append))
    return found


@mutator
class _Calls(PyExprMutator):
    """Calls functions that were made flat with views of their tensors."""

    def __init__(self, mod: tvm.IRModule, flat: dict[str, PrimFunc]) -> None:
        super().__init__(mod)
        self.flat = flat
        self.made: dict[str, ir.GlobalVar] = {}

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        call = binding.value
        if not is_call_of(call, "relax.call_tir") or call.args[0].name_hint not in self.flat:
            super().visit_var_binding_(binding)
            return
        buffers = self.flat[call.args[0].name_hint].params
        *shapes, shape = (ints(buffer.ty.shape) for buffer in buffers)
        arguments = [
            self._view(self.visit_expr(argument), wanted)
            for argument, wanted in zip(call.args[1].fields, shapes, strict=True)
        ]
        name = call.args[0].name_hint
        if name not in self.made:
            self.made[name] = self.builder_.add_func(self.flat[name], f"{name}_flat")
        flat = relax.call_tir(self.made[name], arguments, relax.TensorType(shape, call.ty.dtype))
        # What is noted of a kernel is found by the name of its result.
        result = emitted(self.builder_, flat, str(binding.var.name))
        self.set_var_remap(binding.var, self._view(result, ints(call.ty.shape), binding.var))

    def _view(
        self, tensor: relax.Expr, shape: list[int], takes: relax.Var | None = None
    ) -> relax.Expr:
        if ints(tensor.ty.shape) == shape:
            return tensor
        view = self.builder_.normalize(relax.op.reshape(tensor, shape))
        if takes is None or isinstance(takes, relax.DataflowVar):
            return self.builder_.emit(view)
        return self.builder_.emit_output(view)
