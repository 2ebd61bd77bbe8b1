"""Keep activations channels-last (NHWC) between the network's borders.

With the channels innermost a vector holds the channels of one pixel: a pointwise convolution
reads its input as the matrix that it already is, a depthwise one needs no shuffles, and no kernel
depends on the width of a map being a multiple of the vector. Inputs and outputs stay NCHW.
"""

from __future__ import annotations

from collections.abc import Callable

import tvm
from tvm import relax

from .constants import constant, value_of
from .layers import named
from .permuted import Permuted, Rewriter, Rule, plain_order

_NHWC = (0, 2, 3, 1)


def _conv2d(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
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
    return Permuted(rewriter.builder.emit(result), _NHWC)


def _pool(operator: Callable[..., relax.Call]) -> Callable[..., Permuted | None]:
    def rewrite(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
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
        return Permuted(rewriter.builder.emit(result), _NHWC)

    return rewrite


def _adaptive_pool(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    if call.attrs.layout != "NCHW":
        return None
    data = rewriter.ordered(rewriter.value(call.args[0]), _NHWC)
    result = relax.op.nn.adaptive_avg_pool2d(data, call.attrs.output_size, layout="NHWC")
    return Permuted(rewriter.builder.emit(result), _NHWC)


def _mean(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    data = rewriter.value(call.args[0])
    if data.plain or call.attrs.axis is None:
        return None
    old = [int(axis) % len(data.order) for axis in call.attrs.axis]
    axes = sorted(data.axis(axis) for axis in old)
    keep = bool(call.attrs.keepdims)
    result = rewriter.builder.emit(relax.op.mean(data.expr, axes, keep))
    if keep:
        return Permuted(result, data.order)
    left = [axis for axis in data.order if axis not in old]
    return Permuted(result, tuple(sorted(left).index(axis) for axis in left))


def _concat(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    fields = _fields(rewriter, call.args[0])
    order = next((v.order for v in fields if not v.plain), None)
    if order is None:
        return None
    axis = order.index(int(call.attrs.axis) % len(order))
    parts = [rewriter.ordered(v, order) for v in fields]
    return Permuted(rewriter.builder.emit(relax.op.concat(parts, axis)), order)


def _fields(rewriter: Rewriter, expr: relax.Expr) -> list[Permuted]:
    if isinstance(expr, relax.Tuple):
        return [rewriter.value(field) for field in expr.fields]
    found = rewriter.values[expr]
    return found if isinstance(found, list) else []


def _split(rewriter: Rewriter, call: relax.Call) -> list[Permuted] | None:
    data = rewriter.value(call.args[0])
    if data.plain:
        return None
    parts = call.attrs.indices_or_sections
    where = int(parts) if isinstance(parts, (int, tvm.tirx.IntImm)) else [int(i) for i in parts]
    result = rewriter.builder.emit(
        relax.op.split(data.expr, where, data.axis(int(call.attrs.axis)))
    )
    return [
        Permuted(rewriter.builder.emit(relax.TupleGetItem(result, i)), data.order)
        for i in range(len(call.ty.fields))
    ]


def _strided_slice(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    data = rewriter.value(call.args[0])
    if data.plain:
        return None
    axes = [data.axis(int(field.value)) for field in call.args[1].fields]
    rest = [[int(field.value) for field in arg.fields] for arg in call.args[2:]]
    result = relax.op.strided_slice(data.expr, axes, *rest)
    return Permuted(rewriter.builder.emit(result), data.order)


def _reshape(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Follow the channels through a split or a merge, and through maps of one pixel."""
    data = rewriter.value(call.args[0])
    old = [int(n) for n in call.args[0].ty.shape]
    new = [int(n) for n in call.ty.shape]
    if len(new) == 4 and new[2:] == [1, 1] and len(old) == 2 and data.plain:
        shape = [new[0], 1, 1, new[1]]
        return Permuted(rewriter.builder.emit(relax.op.reshape(data.expr, shape)), _NHWC)
    if data.plain:
        return None
    if data.order == _NHWC and old[2:] == [1, 1] and len(new) == 2 and new[0] == old[0]:
        return Permuted(rewriter.builder.emit(relax.op.reshape(data.expr, new)), (0, 1))
    if data.order == _NHWC and len(new) == 5 and new[0] == old[0] and new[3:] == old[2:]:
        shape = [new[0], *new[3:], *new[1:3]]
        return Permuted(rewriter.builder.emit(relax.op.reshape(data.expr, shape)), (0, 3, 4, 1, 2))
    if data.order == (0, 3, 4, 1, 2) and len(new) == 4 and new[2:] == old[3:]:
        shape = [new[0], *new[2:], new[1]]
        return Permuted(rewriter.builder.emit(relax.op.reshape(data.expr, shape)), _NHWC)
    return None


def _permute_dims(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Permute the parts of split channels where they are, innermost."""
    data = rewriter.value(call.args[0])
    if data.order != (0, 3, 4, 1, 2) or call.attrs.axes is None:
        return None
    if [int(axis) for axis in call.attrs.axes] != [0, 2, 1, 3, 4]:
        return None
    result = rewriter.builder.emit(relax.op.permute_dims(data.expr, [0, 1, 2, 4, 3]))
    return Permuted(result, data.order)


_RULES: dict[str, Rule] = {
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
    rewriter = Rewriter(builder, _RULES)
    params = [relax.Var(param.name, param.ty) for param in main.params]
    for old, new in zip(main.params, params, strict=True):
        rewriter.values[old] = Permuted(new, plain_order(new.ty))
    with builder.function("main", params):
        with builder.dataflow():
            for block in main.body.blocks:
                for binding in block.bindings:
                    rewriter.values[binding.var] = rewriter.bind(binding.value)
            result = rewriter.values[main.body.body]
            fields = result if isinstance(result, list) else [result]
            output = builder.emit_output(relax.Tuple([rewriter.ordered(v) for v in fields]))
        builder.emit_func_output(output)
    new_main = named(builder.get()["main"], rewriter.names()).with_attrs(main.attrs)
    mod = tvm.IRModule({**mod.functions, mod.get_global_var("main"): new_main}, attrs=mod.attrs)
    return relax.transform.DeadCodeElimination()(mod)
