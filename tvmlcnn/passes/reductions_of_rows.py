"""Have reductions of whole tensors, or of axes that lie apart, be reductions of rows.

What a rule has kernels for reduces the innermost axes of each of several rows. A whole tensor is a
single row. Axes that lie apart are reduced one neighbourhood after the other, the innermost first:
a mean of means of as many elements is the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.graph.attributes import ints
from tvmlcnn.graph.variables import named

_OPERATORS = {f"relax.{kind}" for kind in ("sum", "mean", "max", "min")}


def reductions_of_rows(mod: tvm.IRModule) -> tvm.IRModule:
    """Rewrite the reductions of ``main`` whose axes are no neighbours, or all there are."""
    rewrite = _Rewrite(mod)
    function = rewrite.visit_expr(mod["main"])
    rewrite.builder_.update_func(mod.get_global_var("main"), named(function, []))
    return rewrite.builder_.finalize()


@mutator
class _Rewrite(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = self.visit_expr_post_order(call)
        if not isinstance(call.op, tvm.ir.Op) or call.op.name not in _OPERATORS:
            return call
        data, axes = call.args[0], call.attrs.axis
        shape = ints(data.ty.shape)
        axes = range(len(shape)) if axes is None else [axis % len(shape) for axis in ints(axes)]
        apart = max(axes, default=0) - min(axes, default=0) >= len(axes)
        runs = _runs(shape, axes)
        if "float" not in str(data.ty.dtype) or not runs or not (apart or len(axes) == len(shape)):
            return call
        operator = getattr(relax.op, call.op.name.removeprefix("relax."))
        for first, end in reversed(runs):
            rows, count, inner = (
                math.prod(part) for part in (shape[:first], shape[first:end], shape[end:])
            )
            sizes = [rows, count] if inner == 1 else [rows, count, inner]
            view = self.builder_.emit(relax.op.reshape(data, sizes))
            data = self.builder_.emit(operator(view, [1]))
            shape[first:end] = [1] * (end - first)
        return relax.op.reshape(data, call.ty.shape)


def _runs(shape: Sequence[int], axes: Sequence[int]) -> list[tuple[int, int]]:
    """Return neighbourhoods of axes, each with the axis after it; one element is no gap."""
    runs: list[tuple[int, int]] = []
    for axis in sorted(axes):
        if shape[axis] == 1:
            continue
        if runs and math.prod(shape[runs[-1][1] : axis]) == 1:
            runs[-1] = (runs[-1][0], axis + 1)
        else:
            runs.append((axis, axis + 1))
    return runs
