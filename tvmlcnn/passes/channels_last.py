"""Keep activations channels-last (NHWC) between the network's borders.

With the channels innermost a vector holds the channels of one pixel: a pointwise convolution
reads its input as the matrix that it already is, a depthwise one needs no shuffles, and no kernel
depends on the width of a map being a multiple of the vector. Inputs and outputs stay NCHW.

Where channels are is compile-time knowledge (see `permuted`): a convolution computes a few more
than it is asked for where vectors want that, a split or a shuffle only changes what the weights
of the next convolution belong to, and a concatenation puts its parts into planes of one buffer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import tvm
from tvm import relax

from tvmlcnn.targets import Device

from . import operators
from .concatenate import ALIGNED
from .constants import constant, value_of
from .layers import named
from .permuted import NHWC, SPLIT_NHWC, Permuted, compact
from .rewriter import Rewriter, Rule, plain_order

# A vector of eight channels; wider ones are used where they divide the channels.
_WIDEST_UNIT = 8


def _conv2d(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    attrs, weight = call.attrs, value_of(call.args[1])
    if weight is None or attrs.data_layout != "NCHW" or attrs.kernel_layout != "OIHW":
        return None
    data, groups, reads = rewriter.nhwc(call.args[0]), int(attrs.groups), np.arange(0)
    batch, outer, height, width = (int(n) for n in call.ty.shape)
    weight, places = weight.transpose(2, 3, 1, 0), None
    if groups == 1:
        order = np.argsort(data.located())
        reads, weight = data.located()[order], weight[:, :, order]
        if data.planes == 1 and np.array_equal(reads, np.arange(len(reads))):
            reads = reads[:0]
        # So that it can be joined with others; maps of one pixel are not worth it.
        odd = height * width > 1 and height * width * rewriter.unit % ALIGNED
        weight, places = _filled_up(weight, ALIGNED if odd else rewriter.unit)
    elif groups == outer == weight.shape[3] and weight.shape[2] == 1 and data.planes == 1:
        places, wide = data.places, data.shape[3]
        spread = np.zeros((*weight.shape[:3], wide), weight.dtype)
        spread[..., data.located()] = weight
        weight, groups = spread, wide
    else:
        data = compact(rewriter.builder, data)
    result = operators.conv2d(
        data.expr,
        constant(weight),
        (batch, height, width, weight.shape[3]),
        attrs,
        groups,
        reads,
    )
    return Permuted(rewriter.builder.emit(result), NHWC, places)


def _filled_up(weight: np.ndarray, unit: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return weights for a multiple of ``unit`` output channels, and where the true ones are."""
    outer = weight.shape[3]
    missing = -outer % unit
    if not missing:
        return weight, None
    return np.pad(weight, [(0, 0)] * 3 + [(0, missing)]), np.arange(outer)


def _pool(operator: Callable[..., relax.Call]) -> Callable[..., Permuted | None]:
    def rewrite(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
        attrs = call.attrs
        if attrs.layout != "NCHW":
            return None
        data = rewriter.nhwc(call.args[0])
        result = operator(
            data.expr,
            pool_size=attrs.pool_size,
            strides=attrs.strides,
            padding=attrs.padding,
            dilation=attrs.dilation,
            ceil_mode=attrs.ceil_mode,
            count_include_pad=attrs.count_include_pad,
            layout="NHWC",
        )
        return replace(data, expr=rewriter.builder.emit(result))

    return rewrite


def _adaptive_pool(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    if call.attrs.layout != "NCHW":
        return None
    data = rewriter.nhwc(call.args[0])
    result = relax.op.nn.adaptive_avg_pool2d(data.expr, call.attrs.output_size, layout="NHWC")
    return replace(data, expr=rewriter.builder.emit(result))


def _mean(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    data = rewriter.value(call.args[0])
    if data.plain or call.attrs.axis is None:
        return None
    old = sorted(int(axis) % len(data.order) for axis in call.attrs.axis)
    keep = bool(call.attrs.keepdims)
    if data.places is not None:
        if data.order != NHWC or old != [2, 3]:
            return None
        kept = replace(data, expr=rewriter.builder.emit(relax.op.mean(data.expr, [1, 2], True)))
        if keep:
            return kept
        packed = compact(rewriter.builder, kept).expr
        shape = [int(n) for n in call.ty.shape]
        return Permuted(rewriter.builder.emit(relax.op.reshape(packed, shape)), (0, 1))
    axes = sorted(data.axis(axis) for axis in old)
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
    axis = int(call.attrs.axis) % len(order)
    if axis == 1 and all(v.order == NHWC for v in fields):
        joined = rewriter.joins.concatenate(fields, rewriter.unit)
        if joined is not None:
            return joined
    parts = [rewriter.ordered(v, order) for v in fields]
    result = relax.op.concat(parts, order.index(axis))
    return Permuted(rewriter.builder.emit(result), order)


def _fields(rewriter: Rewriter, expr: relax.Expr) -> list[Permuted]:
    if isinstance(expr, relax.Tuple):
        return [rewriter.value(field) for field in expr.fields]
    found = rewriter.values[expr]
    return found if isinstance(found, list) else []


def _split(rewriter: Rewriter, call: relax.Call) -> list[Permuted] | None:
    data, axis = rewriter.value(call.args[0]), int(call.attrs.axis) % len(call.args[0].ty.shape)
    if data.order != NHWC:
        return None
    sizes = [int(field.shape[axis]) for field in call.ty.fields]
    where = [int(n) for n in np.cumsum(sizes)[:-1]]
    if axis == 1:
        return [data.at(places) for places in np.split(data.located(), where)]
    if data.places is not None:
        return None
    result = rewriter.builder.emit(relax.op.split(data.expr, where, data.axis(axis)))
    return [
        replace(data, expr=rewriter.builder.emit(relax.TupleGetItem(result, i)))
        for i in range(len(sizes))
    ]


def _strided_slice(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    data = rewriter.value(call.args[0])
    if data.plain:
        return None
    lists = [[int(field.value) for field in arg.fields] for arg in call.args[1:]]
    old, (begin, end, *step) = [axis % len(data.order) for axis in lists[0]], lists[1:]
    if data.order == NHWC and old == [1]:
        taken = slice(begin[0], end[0], *(values[0] for values in step))
        return data.at(data.located()[taken])
    if data.places is not None:
        return None
    axes = [data.axis(axis) for axis in old]
    result = relax.op.strided_slice(data.expr, axes, begin, end, *step)
    return Permuted(rewriter.builder.emit(result), data.order)


def _reshape(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Follow the channels through a split or a merge, and through maps of one pixel."""
    data = rewriter.value(call.args[0])
    old = [int(n) for n in call.args[0].ty.shape]
    new = [int(n) for n in call.ty.shape]
    if data.plain:
        if len(old) != 2 or len(new) != 4 or new[2:] != [1, 1]:
            return None
        shape = [new[0], 1, 1, new[1]]
        return Permuted(rewriter.builder.emit(relax.op.reshape(data.expr, shape)), NHWC)
    if data.order == NHWC and old[2:] == [1, 1] and len(new) == 2 and new[0] == old[0]:
        packed = compact(rewriter.builder, data).expr
        return Permuted(rewriter.builder.emit(relax.op.reshape(packed, new)), (0, 1))
    if data.order == NHWC and len(new) == 5 and new[0] == old[0] and new[3:] == old[2:]:
        return replace(data, order=SPLIT_NHWC, places=data.located().reshape(new[1:3]))
    merged = [old[0], old[1] * old[2], *old[3:]] if len(old) == 5 else None
    if data.order == SPLIT_NHWC and data.places is not None and new == merged:
        return replace(data, order=NHWC, places=None).at(data.places.reshape(-1))
    return None


def _permute_dims(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Permute the groups of channels: only their places change."""
    data = rewriter.value(call.args[0])
    if data.order != SPLIT_NHWC or data.places is None or call.attrs.axes is None:
        return None
    if [int(axis) for axis in call.attrs.axes] != [0, 2, 1, 3, 4]:
        return None
    return replace(data, places=data.places.T)


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


def channels_last(device: Device) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass that makes convolutions, and all between them, work on NHWC tensors."""
    return partial(_channels_last, unit=min(device.lanes, _WIDEST_UNIT))


def _channels_last(mod: tvm.IRModule, unit: int) -> tvm.IRModule:
    main = mod["main"]
    builder = relax.BlockBuilder()
    rewriter = Rewriter(builder, _RULES, unit)
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
    built = builder.get()
    functions = {v: f for v, f in built.functions.items() if v.name_hint != "main"}
    new_main = named(built["main"], rewriter.names())
    functions[built.get_global_var("main")] = new_main.with_attrs(main.attrs)
    mod = tvm.IRModule(functions, attrs=mod.attrs)
    return relax.transform.DeadCodeElimination()(mod)
