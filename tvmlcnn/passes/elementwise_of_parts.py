"""Apply what follows a concatenation of layers to each of them, before they are joined.

A convolution or a pool applies batch norm and activations while its results are in registers.
MixNet's normalize and activate what depthwise convolutions of several sizes were joined to,
ShuffleNet V1's activate a pool beside a convolution; either would be a kernel of its own that reads
and writes a whole map.
"""

from __future__ import annotations

import itertools

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.elementwise import BY_RELAX
from tvmlcnn.graph.constants import constant, is_call_of, value_of
from tvmlcnn.graph.variables import bindings, emitted, operands

_BATCH_NORM = "relax.nn.batch_norm"
# Whose kernels apply what follows while they have their results in registers.
_LAYERS = ("relax.nn.conv2d", "relax.nn.avg_pool2d", "relax.nn.max_pool2d")


def elementwise_of_parts(mod: tvm.IRModule) -> tvm.IRModule:
    """Move element-wise operators and batch norms of joined layers of ``main`` into them."""
    regions = _regions(mod["main"])
    if not regions:
        return mod
    move = _Move(mod, regions)
    move.builder_.update_func(mod.get_global_var("main"), move.visit_expr(mod["main"]))
    return relax.transform.DeadCodeElimination()(move.builder_.finalize())


def _regions(main: relax.Function) -> dict[relax.Expr, relax.Var]:
    """Return the variables that are computed of parts, and the concatenation that each is of.

    Those are concatenations of layers that only such variables read, and what element-wise
    operators make of one and of constants by channel.
    """
    values = {binding.var: binding.value for binding in bindings(main)}
    readers: dict[relax.Expr, list[relax.Expr | None]] = {}
    for var, value in values.items():
        for operand in operands(value):
            readers.setdefault(operand, []).append(var)
    for operand in operands(main.body.body):
        readers.setdefault(operand, []).append(None)
    found: dict[relax.Expr, relax.Var] = {}
    for var, value in values.items():
        if _joins_layers(value, values, readers):
            found[var] = var
            continue
        joins = {found.get(operand) for operand in operands(value)}
        if len(joins) == 1 and (join := joins.pop()) is not None and _is_of_parts(value, values):
            found[var] = join
    apart = {
        join
        for join in found.values()
        if join in readers and all(reader in found for reader in readers[join])
    }
    return {var: join for var, join in found.items() if join in apart}


def _joins_layers(
    value: relax.Expr,
    values: dict[relax.Var, relax.Expr],
    readers: dict[relax.Expr, list[relax.Expr | None]],
) -> bool:
    """Tell whether it concatenates channels of convolutions and pools that nothing else reads."""
    if not is_call_of(value, "relax.concat") or len(value.ty.shape) != 4:
        return False
    if not isinstance(value.args[0], relax.Tuple) or int(value.attrs.axis) % 4 != 1:
        return False
    return all(
        len(readers[field]) == 1 and _is_layer(values.get(field), values)
        for field in value.args[0].fields
    )


def _is_layer(value: relax.Expr | None, values: dict[relax.Var, relax.Expr]) -> bool:
    """Tell whether it is a convolution, with bias or batch norm or without, or a pool."""
    norm = values.get(value.tuple_value) if isinstance(value, relax.TupleGetItem) else None
    if norm is not None and is_call_of(norm, _BATCH_NORM):
        value = values.get(norm.args[0])
    if value is not None and is_call_of(value, "relax.add") and value_of(value.args[1]) is not None:
        value = values.get(value.args[0])
    return any(is_call_of(value, layer) for layer in _LAYERS)


def _is_of_parts(value: relax.Expr, values: dict[relax.Var, relax.Expr]) -> bool:
    """Tell whether an operator of joined channels does the same of each part."""
    if isinstance(value, relax.TupleGetItem):
        return value.index == 0 and is_call_of(values.get(value.tuple_value), _BATCH_NORM)
    if not isinstance(value, relax.Call) or not isinstance(value.op, tvm.ir.Op):
        return False
    arrays = [array for arg in value.args if (array := value_of(arg)) is not None]
    if value.op.name == _BATCH_NORM:
        return int(value.attrs.axis) == 1 and len(arrays) == len(value.args) - 1
    # A constant of more axes would make the result another shape than its operand's.
    same = isinstance(value.ty, relax.TensorType) and len(value.ty.shape) == 4
    return same and value.op.name in BY_RELAX and all(array.ndim <= 4 for array in arrays)


@mutator
class _Move(PyExprMutator):
    """Computes parts, and joins them where they are read as one."""

    def __init__(self, mod: tvm.IRModule, regions: dict[relax.Expr, relax.Var]) -> None:
        super().__init__(mod)
        self.values = {binding.var: binding.value for binding in bindings(mod["main"])}
        self.regions = regions
        self.names = {self.values[var]: var for var in regions}
        self.parts: dict[relax.Expr, list[relax.Expr]] = {}

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        var = self.names.get(call)
        if var is None or call.op.name == _BATCH_NORM:
            return super().visit_call_(call)
        if is_call_of(call, "relax.concat"):
            self.parts[var] = [self.visit_expr(field) for field in call.args[0].fields]
            return super().visit_call_(call)
        return self._joined(var, call)

    def visit_tuple_getitem_(self, item: relax.TupleGetItem) -> relax.Expr:
        var = self.names.get(item)
        if var is None:
            return super().visit_tuple_getitem_(item)
        return self._joined(var, self.values[item.tuple_value])

    def _joined(self, var: relax.Var, call: relax.Call) -> relax.Expr:
        """Emit a call for each part; return what they make together."""
        fields = self.values[self.regions[var]].args[0].fields
        ends = list(itertools.accumulate(int(field.ty.shape[1]) for field in fields))
        parts: list[relax.Expr] = []
        for number, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            axis = 0 if call.op.name == _BATCH_NORM else -3
            args = [
                self.parts[arg][number]
                if isinstance(arg, relax.Var)
                else _of_channels(arg, axis, range(start, end), ends[-1])
                for arg in call.args
            ]
            part = relax.Call(call.op, args, call.attrs, call.ty_args)
            name = f"{var.name}.{number}"
            if call.op.name == _BATCH_NORM:
                part = relax.TupleGetItem(emitted(self.builder_, part, f"{name}.norm"), 0)
            parts.append(emitted(self.builder_, part, name))
        self.parts[var] = parts
        return relax.op.concat(parts, 1)


def _of_channels(arg: relax.Expr, axis: int, channels: range, count: int) -> relax.Expr:
    """Return the part of a constant, if its axis is that of all ``count`` channels."""
    array = value_of(arg)
    if array is None or array.ndim < max(axis + 1, -axis) or array.shape[axis] != count:
        return arg
    return constant(np.take(array, channels, axis))
