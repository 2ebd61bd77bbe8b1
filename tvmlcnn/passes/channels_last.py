"""Keep activations channels-last (NHWC) between the network's borders.

With the channels innermost a vector holds the channels of one pixel: a pointwise convolution
reads its input as the matrix that it already is, a depthwise one needs no shuffles, and no kernel
depends on the width of a map being a multiple of the vector. Inputs and outputs stay NCHW.

Each variable of the new function is stored either as the old one was or permuted. Operators that
do not care about the order of axes (element-wise ones) take the permuted operands, those with
axes get them mapped, and whatever is not known here gets its operands in the old order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from .constants import constant, value_of

_NHWC = (0, 2, 3, 1)
_ELEMENTWISE = frozenset(
    f"relax.{name}"
    for name in (
        *("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "clip"),
        *("abs", "exp", "log", "negative", "rsqrt", "sigmoid", "sqrt", "square", "tanh", "astype"),
        *("nn.relu", "nn.relu6", "nn.leakyrelu", "nn.silu", "nn.gelu", "nn.gelu_tanh"),
        *("nn.softplus", "nn.selu"),
    )
)


@dataclass(frozen=True)
class _Value:
    """An expression of the new function; axis ``i`` of it is axis ``order[i]`` of the old one."""

    expr: relax.Expr
    order: tuple[int, ...]

    @property
    def plain(self) -> bool:
        return self.order == tuple(range(len(self.order)))

    def axis(self, old: int) -> int:
        """Return where an axis of the old value, possibly negative, is now."""
        return self.order.index(old % len(self.order))


class _Rewriter:
    def __init__(self, builder: relax.BlockBuilder) -> None:
        self.builder = builder
        self.values: dict[relax.Var, _Value | list[_Value]] = {}

    def value(self, expr: relax.Expr) -> _Value:
        """Return the new value of an operand."""
        if isinstance(expr, relax.Var):
            found = self.values[expr]
            if isinstance(found, _Value):
                return found
            return _Value(relax.Tuple([self.ordered(v) for v in found]), ())
        rank = len(expr.ty.shape) if hasattr(expr.ty, "shape") else 0
        return _Value(expr, tuple(range(rank)))

    def ordered(self, value: _Value, order: Sequence[int] | None = None) -> relax.Expr:
        """Return the value with its axes in an order; by default the old one."""
        wanted = tuple(order) if order is not None else tuple(range(len(value.order)))
        if value.order == wanted:
            return value.expr
        axes = [value.order.index(axis) for axis in wanted]
        array = value_of(value.expr)
        if array is not None:
            return constant(np.transpose(array, axes))
        return self.builder.emit(relax.op.permute_dims(value.expr, axes))

    def rewrite(self, call: relax.Call) -> _Value | list[_Value]:
        """Emit the new form of a call."""
        rule = _RULES.get(call.op.name) if isinstance(call.op, tvm.ir.Op) else None
        result = rule(self, call) if rule else None
        if result is None and isinstance(call.op, tvm.ir.Op) and call.op.name in _ELEMENTWISE:
            result = self.elementwise(call)
        if result is None:
            args = [
                self.ordered(self.value(arg)) if _is_tensor(arg) else self.value(arg).expr
                for arg in call.args
            ]
            new = self.builder.emit(relax.Call(call.op, args, call.attrs, call.ty_args))
            if isinstance(call.ty, relax.TupleType):
                return [
                    _Value(self.builder.emit(relax.TupleGetItem(new, i)), _plain(field))
                    for i, field in enumerate(call.ty.fields)
                ]
            return _Value(new, _plain(call.ty))
        return result

    def elementwise(self, call: relax.Call) -> _Value | None:
        operands = [self.value(arg) for arg in call.args]
        order = next((v.order for v in operands if not v.plain), None)
        if order is None:
            return None
        rank, args = len(order), []
        for old, operand in zip(call.args, operands, strict=True):
            size = len(operand.order) if _is_tensor(old) else 0
            if not 0 < size < rank:
                args.append(self.ordered(operand, order) if size else operand.expr)
                continue
            # Broadcasting aligns axes from the right, which only holds in the old order.
            shape = [1] * (rank - size) + [int(n) for n in old.ty.shape]
            array = value_of(operand.expr)
            whole = (
                constant(array.reshape(shape))
                if array is not None
                else self.builder.emit(relax.op.reshape(self.ordered(operand), shape))
            )
            args.append(self.ordered(_Value(whole, tuple(range(rank))), order))
        return _Value(self.builder.emit(relax.Call(call.op, args, call.attrs)), order)


def _is_tensor(expr: relax.Expr) -> bool:
    return isinstance(expr.ty, relax.TensorType)


def _plain(ty: relax.Type) -> tuple[int, ...]:
    return tuple(range(len(ty.shape))) if isinstance(ty, relax.TensorType) else ()


def _conv2d(rewriter: _Rewriter, call: relax.Call) -> _Value | None:
    attrs, weight = call.attrs, value_of(call.args[1])
    if weight is None or attrs.data_layout != "NCHW" or attrs.kernel_layout != "OIHW":
        return None
    data = rewriter.ordered(rewriter.value(call.args[0]), _NHWC)
    result = relax.op.nn.conv2d(
        data,
        constant(weight.transpose(2, 3, 1, 0)),
        strides=attrs.strides,
        padding=attrs.padding,
        dilation=attrs.dilation,
        groups=attrs.groups,
        data_layout="NHWC",
        kernel_layout="HWIO",
    )
    return _Value(rewriter.builder.emit(result), _NHWC)


def _pool(operator: Callable[..., relax.Call]) -> Callable[..., _Value | None]:
    def rewrite(rewriter: _Rewriter, call: relax.Call) -> _Value | None:
        attrs = call.attrs
        if attrs.layout != "NCHW":
            return None
        data = rewriter.ordered(rewriter.value(call.args[0]), _NHWC)
        result = operator(
            data,
            pool_size=attrs.pool_size,
            strides=attrs.strides,
            padding=attrs.padding,
            dilation=attrs.dilation,
            ceil_mode=attrs.ceil_mode,
            count_include_pad=attrs.count_include_pad,
            layout="NHWC",
        )
        return _Value(rewriter.builder.emit(result), _NHWC)

    return rewrite


def _adaptive_pool(rewriter: _Rewriter, call: relax.Call) -> _Value | None:
    if call.attrs.layout != "NCHW":
        return None
    data = rewriter.ordered(rewriter.value(call.args[0]), _NHWC)
    result = relax.op.nn.adaptive_avg_pool2d(data, call.attrs.output_size, layout="NHWC")
    return _Value(rewriter.builder.emit(result), _NHWC)


def _mean(rewriter: _Rewriter, call: relax.Call) -> _Value | None:
    data = rewriter.value(call.args[0])
    if data.plain or call.attrs.axis is None:
        return None
    old = [int(axis) % len(data.order) for axis in call.attrs.axis]
    axes = sorted(data.axis(axis) for axis in old)
    keep = bool(call.attrs.keepdims)
    result = rewriter.builder.emit(relax.op.mean(data.expr, axes, keep))
    if keep:
        return _Value(result, data.order)
    left = [axis for axis in data.order if axis not in old]
    return _Value(result, tuple(sorted(left).index(axis) for axis in left))


def _concat(rewriter: _Rewriter, call: relax.Call) -> _Value | None:
    fields = _fields(rewriter, call.args[0])
    order = next((v.order for v in fields if not v.plain), None)
    if order is None:
        return None
    axis = order.index(int(call.attrs.axis) % len(order))
    parts = [rewriter.ordered(v, order) for v in fields]
    return _Value(rewriter.builder.emit(relax.op.concat(parts, axis)), order)


def _fields(rewriter: _Rewriter, expr: relax.Expr) -> list[_Value]:
    if isinstance(expr, relax.Tuple):
        return [rewriter.value(field) for field in expr.fields]
    found = rewriter.values[expr]
    return found if isinstance(found, list) else []


def _split(rewriter: _Rewriter, call: relax.Call) -> list[_Value] | None:
    data = rewriter.value(call.args[0])
    if data.plain:
        return None
    parts = call.attrs.indices_or_sections
    where = int(parts) if isinstance(parts, (int, tvm.tirx.IntImm)) else [int(i) for i in parts]
    result = rewriter.builder.emit(
        relax.op.split(data.expr, where, data.axis(int(call.attrs.axis)))
    )
    return [
        _Value(rewriter.builder.emit(relax.TupleGetItem(result, i)), data.order)
        for i in range(len(call.ty.fields))
    ]


def _strided_slice(rewriter: _Rewriter, call: relax.Call) -> _Value | None:
    data = rewriter.value(call.args[0])
    if data.plain:
        return None
    axes = [data.axis(int(field.value)) for field in call.args[1].fields]
    rest = [[int(field.value) for field in arg.fields] for arg in call.args[2:]]
    result = relax.op.strided_slice(data.expr, axes, *rest)
    return _Value(rewriter.builder.emit(result), data.order)


def _reshape(rewriter: _Rewriter, call: relax.Call) -> _Value | None:
    """Follow the channels through a split or a merge, and through maps of one pixel."""
    data = rewriter.value(call.args[0])
    old = [int(n) for n in call.args[0].ty.shape]
    new = [int(n) for n in call.ty.shape]
    if len(new) == 4 and new[2:] == [1, 1] and len(old) == 2 and data.plain:
        shape = [new[0], 1, 1, new[1]]
        return _Value(rewriter.builder.emit(relax.op.reshape(data.expr, shape)), _NHWC)
    if data.plain:
        return None
    if data.order == _NHWC and old[2:] == [1, 1] and len(new) == 2 and new[0] == old[0]:
        return _Value(rewriter.builder.emit(relax.op.reshape(data.expr, new)), (0, 1))
    if data.order == _NHWC and len(new) == 5 and new[0] == old[0] and new[3:] == old[2:]:
        shape = [new[0], *new[3:], *new[1:3]]
        return _Value(rewriter.builder.emit(relax.op.reshape(data.expr, shape)), (0, 3, 4, 1, 2))
    if data.order == (0, 3, 4, 1, 2) and len(new) == 4 and new[2:] == old[3:]:
        shape = [new[0], *new[2:], new[1]]
        return _Value(rewriter.builder.emit(relax.op.reshape(data.expr, shape)), _NHWC)
    return None


def _permute_dims(rewriter: _Rewriter, call: relax.Call) -> _Value | None:
    """Permute the parts of split channels where they are, innermost."""
    data = rewriter.value(call.args[0])
    if data.order != (0, 3, 4, 1, 2) or call.attrs.axes is None:
        return None
    if [int(axis) for axis in call.attrs.axes] != [0, 2, 1, 3, 4]:
        return None
    result = rewriter.builder.emit(relax.op.permute_dims(data.expr, [0, 1, 2, 4, 3]))
    return _Value(result, data.order)


_RULES: dict[str, Callable[[_Rewriter, relax.Call], _Value | list[_Value] | None]] = {
    "relax.nn.conv2d": _conv2d,
    "relax.nn.max_pool2d": _pool(relax.op.nn.max_pool2d),
    "relax.nn.avg_pool2d": _pool(relax.op.nn.avg_pool2d),
    "relax.nn.adaptive_avg_pool2d": _adaptive_pool,
    "relax.mean": _mean,
    "relax.concat": _concat,
    "relax.split": _split,
    "relax.strided_slice": _strided_slice,
    "relax.reshape": _reshape,
    "relax.permute_dims": _permute_dims,
}


def channels_last(mod: tvm.IRModule) -> tvm.IRModule:
    """Rewrite ``main`` so that convolutions, and all between them, work on NHWC tensors."""
    main = mod["main"]
    builder = relax.BlockBuilder()
    rewriter = _Rewriter(builder)
    params = [relax.Var(param.name, param.ty) for param in main.params]
    for old, new in zip(main.params, params, strict=True):
        rewriter.values[old] = _Value(new, _plain(new.ty))
    with builder.function("main", params):
        with builder.dataflow():
            for block in main.body.blocks:
                for binding in block.bindings:
                    rewriter.values[binding.var] = _binding(rewriter, binding.value)
            result = rewriter.values[main.body.body]
            fields = result if isinstance(result, list) else [result]
            output = builder.emit_output(relax.Tuple([rewriter.ordered(v) for v in fields]))
        builder.emit_func_output(output)
    new_main = builder.get()["main"].with_attrs(main.attrs)
    mod = tvm.IRModule({**mod.functions, mod.get_global_var("main"): new_main}, attrs=mod.attrs)
    return relax.transform.DeadCodeElimination()(mod)


def _binding(rewriter: _Rewriter, expr: relax.Expr) -> _Value | list[_Value]:
    if isinstance(expr, relax.Call):
        return rewriter.rewrite(expr)
    if isinstance(expr, relax.Tuple):
        return [rewriter.value(field) for field in expr.fields]
    if isinstance(expr, relax.TupleGetItem):
        fields = rewriter.values[expr.tuple_value]
        assert isinstance(fields, list)
        return fields[expr.index]
    if isinstance(expr, relax.Var):
        return rewriter.values[expr]
    return rewriter.value(expr)
