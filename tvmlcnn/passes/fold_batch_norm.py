"""Fold batch normalization into the convolution before it.

At inference ``bn(y) = y * scale + shift`` with ``scale = gamma / sqrt(var + eps)`` and
``shift = beta - mean * scale`` a channel (Ioffe and Szegedy 2015, algorithm 2), so that
``bn(conv(x, w) + b) = conv(x, w * scale) + (b * scale + shift)``. Where no convolution stands
before it (DenseNet) the two element-wise operators remain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.graph.constants import constant, is_call_of, value_of
from tvmlcnn.graph.variables import bound

_CONVOLUTIONS = tuple(
    f"relax.nn.conv{rank}d{kind}" for rank in (1, 2, 3) for kind in ("", "_transpose")
)


@mutator
class _Fold(PyExprMutator):
    def __init__(self, mod: tvm.IRModule) -> None:
        super().__init__(mod)
        self.values = relax.analysis.get_var2val(mod["main"])
        self.uses = Counter(_variables(mod["main"]))

    def visit_tuple_getitem_(self, item: relax.TupleGetItem) -> relax.Expr:
        normalization = self.values.get(item.tuple_value, item.tuple_value)
        if not is_call_of(normalization, "relax.nn.batch_norm") or item.index != 0:
            return super().visit_tuple_getitem_(item)
        data, *parameters = normalization.args
        arrays = [array for p in parameters if (array := value_of(p)) is not None]
        if len(arrays) < len(parameters):
            return super().visit_tuple_getitem_(item)
        gamma, beta, mean, variance = (array.astype(np.float64) for array in arrays)
        scale = gamma / np.sqrt(variance + float(normalization.attrs.epsilon))
        shift = beta - mean * scale
        along = [1] * len(data.ty.shape)
        along[int(normalization.attrs.axis)] = -1

        convolution, bias = self._convolution(data)
        weight = None if convolution is None else value_of(convolution.args[1])
        if convolution is not None and weight is not None:
            new_weight = constant(_scaled(weight, scale, convolution).astype(weight.dtype))
            arguments = [self.visit_expr(convolution.args[0]), new_weight]
            scaled = relax.Call(convolution.op, arguments, convolution.attrs)
            shift = shift + bias * scale
        else:
            factor = constant(scale.reshape(along).astype(arrays[0].dtype))
            scaled = relax.op.multiply(self.visit_expr(data), factor)
        offset = constant(shift.reshape(along).astype(arrays[0].dtype))
        return relax.op.add(bound(self.builder_, scaled, data), offset)

    def _convolution(self, data: relax.Expr) -> tuple[relax.Call | None, np.ndarray]:
        """Return the convolution and the bias whose sum is ``data``, if nothing else reads it."""
        call, bias = self.values.get(data, data), np.zeros(1)
        single = self.uses[data] == 1
        if is_call_of(call, "relax.add"):
            array, (_, channels, *maps) = value_of(call.args[1]), call.ty.shape
            if array is not None and array.shape == (1, int(channels), *(1 for _ in maps)):
                single = single and self.uses[call.args[0]] == 1
                call, bias = self.values.get(call.args[0]), array.astype(np.float64).reshape(-1)
        fits = (
            single
            and any(is_call_of(call, name) for name in _CONVOLUTIONS)
            and call.attrs.data_layout.startswith("NC")
            and value_of(call.args[1]) is not None
        )
        return (call, bias) if fits else (None, bias)


def _scaled(weight: np.ndarray, scale: np.ndarray, convolution: relax.Call) -> np.ndarray:
    """Return the weights times a factor for each channel that is computed."""
    layout = str(convolution.attrs.kernel_layout)
    if layout.index("O") == 0:
        return weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    # Of a transposed convolution each group of inputs has the outputs of its group.
    groups, (inner, outer, *kernel) = int(convolution.attrs.groups), weight.shape
    grouped = weight.reshape(groups, inner // groups, outer, *kernel)
    return (grouped * scale.reshape(groups, 1, outer, *[1] * len(kernel))).reshape(weight.shape)


def _variables(function: relax.Function) -> Iterator[relax.Var]:
    """Yield each use of a variable by a binding or the result of the function."""
    found: list[relax.Expr] = []
    for block in function.body.blocks:
        for binding in block.bindings:
            relax.analysis.post_order_visit(binding.value, found.append)
    found.append(function.body.body)
    return (expr for expr in found if isinstance(expr, relax.Var))


def fold_batch_norm(mod: tvm.IRModule) -> tvm.IRModule:
    """Fold each batch normalization into its convolution, or into one multiply and one add."""
    fold = _Fold(mod)
    fold.builder_.update_func(mod.get_global_var("main"), fold.visit_expr(mod["main"]))
    return relax.transform.DeadCodeElimination()(fold.builder_.finalize())
