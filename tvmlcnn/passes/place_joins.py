"""Give the parts of joined tensors their places in one buffer.

Runs on ``main`` after kernels take their outputs as arguments: the tensor that a part's kernel
writes becomes a view of the buffer, and the join itself a view of the buffer's beginning.
"""

from __future__ import annotations

import math

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.graph.constants import is_call_of
from tvmlcnn.graph.operators import JOIN


@tvm.transform.module_pass(opt_level=0, name="PlaceJoins")
class PlaceJoins:
    """Replace each join by views of one buffer."""

    def transform_module(self, mod: tvm.IRModule, _: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite ``main``."""
        place = _Place(mod)
        place.builder_.update_func(mod.get_global_var("main"), place.visit_expr(mod["main"]))
        return place.builder_.finalize()


@mutator
class _Place(PyExprMutator):
    def __init__(self, mod: tvm.IRModule) -> None:
        super().__init__(mod)
        main = mod["main"]
        values = {b.var: b.value for block in main.body.blocks for b in block.bindings}

        def allocation(var: relax.Expr) -> relax.Expr:
            while not is_call_of(values[var], "relax.builtin.alloc_tensor"):
                value = values[var]
                assert isinstance(value, relax.Var) or is_call_of(value, "relax.reshape"), value
                var = value if isinstance(value, relax.Var) else value.args[0]
            return var

        # Where each allocated tensor lies: the parts before it, and the longest join.
        self.offsets: dict[relax.Expr, int] = {}
        self.buffers: dict[relax.Expr, relax.Call] = {}
        self.emitted: dict[relax.Expr, relax.Expr] = {}
        joins = [value for value in values.values() if is_call_of(value, JOIN)]
        for join in sorted(joins, key=lambda call: len(call.args), reverse=True):
            parts = [allocation(arg) for arg in join.args]
            first = parts[0]
            longest = self.buffers.setdefault(first, join)
            offset = 0
            for part in parts:
                assert self.buffers.setdefault(part, longest) == longest
                assert self.offsets.setdefault(part, offset) == offset
                offset += _bytes(part)
        self.allocation = allocation

    def visit_var_binding_(self, binding: relax.VarBinding) -> None:
        value, var = binding.value, binding.var
        if var in self.offsets:
            view = self._view(self.buffers[var], var.ty, self.offsets[var])
            zero = self.builder_.emit(relax.op.memory.ensure_zero_offset(view))
            self.set_var_remap(var, zero)
        elif is_call_of(value, JOIN):
            first = self.allocation(value.args[0])
            self.set_var_remap(var, self._view(self.buffers[first], value.ty, 0))
        else:
            super().visit_var_binding_(binding)

    def _view(self, longest: relax.Call, ty: relax.TensorType, offset: int) -> relax.Var:
        if longest not in self.emitted:
            shape = relax.ShapeExpr([int(n) for n in longest.ty.shape])
            self.emitted[longest] = self.builder_.emit(
                relax.op.builtin.alloc_tensor(shape, str(longest.ty.dtype), 0)
            )
        buffer = self.emitted[longest]
        return self.builder_.emit(
            relax.op.memory.view(buffer, [int(n) for n in ty.shape], str(ty.dtype), offset)
        )


def _bytes(tensor: relax.Expr) -> int:
    return math.prod(int(n) for n in tensor.ty.shape) * tvm.DataType(str(tensor.ty.dtype)).itemsize
