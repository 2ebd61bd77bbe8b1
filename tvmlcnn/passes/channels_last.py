"""Keep activations channels-last (NHWC) between the network's borders.

With the channels innermost a vector holds the channels of one pixel: a pointwise convolution
reads its input as the matrix that it already is, a depthwise one needs no shuffles, and no kernel
depends on the width of a map being a multiple of the vector. Inputs and outputs stay NCHW.

Where channels are is compile-time knowledge (see `permuted`): a convolution computes a few more
than it is asked for where vectors want that, a split or a shuffle only changes what the weights
of the next convolution belong to, and a concatenation puts its parts into planes of one buffer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import tvm
from tvm import relax

from tvmlcnn.graph import (
    channel_moves,
    filled_convolution,
    integer_convolution,
    normalization,
    pixel_moves,
    pixel_operators,
    quantized_operators,
)
from tvmlcnn.graph.byte_channels import gathered
from tvmlcnn.graph.permuted import NHWC, Permuted
from tvmlcnn.graph.resample import RESAMPLE, resample_permuted
from tvmlcnn.graph.rewriter import Rewrite, Rewriter, plain_order
from tvmlcnn.graph.surround import SURROUND, surround_permuted
from tvmlcnn.graph.variables import named
from tvmlcnn.targets import Device

_TURNED_BACK = "tvmlcnn.turned_back"
_REDUCTIONS = (relax.op.mean, relax.op.sum, relax.op.max, relax.op.min)


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


def _reduction(operator: Callable[..., relax.Call]) -> Callable[..., Permuted | None]:
    def rewrite(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
        data = rewriter.value(call.args[0])
        if data.plain or call.attrs.axis is None:
            return None
        old = sorted(int(axis) % len(data.order) for axis in call.attrs.axis)
        keep = bool(call.attrs.keepdims)
        if data.places is not None and data.order == NHWC and old == [2, 3]:
            kept = replace(data, expr=rewriter.builder.emit(operator(data.expr, [1, 2], True)))
            if keep:
                return kept
            packed = rewriter.compact(kept).expr
            shape = [int(n) for n in call.ty.shape]
            return Permuted(rewriter.builder.emit(relax.op.reshape(packed, shape)), (0, 1))
        data = rewriter.compact(data)
        axes = sorted(data.axis(axis) for axis in old)
        result = rewriter.builder.emit(operator(data.expr, axes, keep))
        if keep:
            return Permuted(result, data.order)
        left = [axis for axis in data.order if axis not in old]
        return Permuted(result, tuple(sorted(left).index(axis) for axis in left))

    return rewrite


def _mean_of_codes(rewriter: Rewriter, call: relax.Call) -> Permuted:
    data = rewriter.nhwc(call.args[0])
    result = quantized_operators.mean_of_codes(data.expr, (1, 2))
    return replace(data, expr=rewriter.builder.emit(result))


def _softmax(operator: Callable[..., relax.Call]) -> Callable[..., Permuted | None]:
    def rewrite(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
        data = rewriter.value(call.args[0])
        if data.plain:
            return None
        data = rewriter.compact(data)
        axis = data.axis(int(call.attrs.axis) % len(data.order))
        return replace(data, expr=rewriter.builder.emit(operator(data.expr, axis)))

    return rewrite


def _concat(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    fields = _fields(rewriter, call.args[0])
    order = next((v.order for v in fields if not v.plain), None)
    if order is None:
        return None
    axis = int(call.attrs.axis) % len(order)
    if axis == 1 and all(v.order == NHWC for v in fields):
        fields = [gathered(rewriter, v) for v in fields]
        joined = rewriter.joins.concatenate(fields, rewriter.unit(call))
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


_REWRITES: dict[str, Rewrite] = {
    "relax.nn.conv2d": filled_convolution.conv2d,
    quantized_operators.INTEGER_CONV2D: integer_convolution.conv2d,
    "relax.nn.max_pool2d": _pool(relax.op.nn.max_pool2d),
    "relax.nn.avg_pool2d": _pool(relax.op.nn.avg_pool2d),
    "relax.nn.adaptive_avg_pool2d": _adaptive_pool,
    **{f"relax.{o.__name__}": _reduction(o) for o in _REDUCTIONS},
    quantized_operators.MEAN_OF_CODES: _mean_of_codes,
    "relax.concat": _concat,
    "relax.nn.softmax": _softmax(relax.op.nn.softmax),
    "relax.nn.log_softmax": _softmax(relax.op.nn.log_softmax),
    "relax.split": channel_moves.split,
    "relax.strided_slice": channel_moves.strided_slice,
    "relax.take": channel_moves.take,
    "relax.reshape": channel_moves.reshape,
    "relax.permute_dims": channel_moves.permute_dims,
    RESAMPLE: resample_permuted,
    SURROUND: surround_permuted,
    pixel_operators.INTERLEAVE: pixel_moves.interleave,
    pixel_operators.GATHER_FRAMES: pixel_moves.gather_frames,
    pixel_operators.REGROUP: pixel_moves.regroup,
    "relax.nn.layer_norm": normalization.layer_norm,
    "relax.nn.group_norm": normalization.channel_norm,
    "relax.nn.instance_norm": normalization.channel_norm,
}


def channels_last(device: Device) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass that makes convolutions, and all between them, work on NHWC tensors.

    It notes operators that it does not know, which get their operands transposed back; see
    `turned_back`.
    """
    return partial(_channels_last, device=device)


def turned_back(mod: tvm.IRModule) -> list[str]:
    """Return the operators of Relax that had to be given channels-first operands, sorted."""
    return list(json.loads(str(mod.attrs.get(_TURNED_BACK, "[]"))))


def _channels_last(mod: tvm.IRModule, device: Device) -> tvm.IRModule:
    main = mod["main"]
    builder = relax.BlockBuilder()
    rewriter = Rewriter(builder, _REWRITES, device)
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
    if rewriter.unknown:
        mod = mod.with_attr(_TURNED_BACK, json.dumps(sorted(rewriter.unknown)))
    return relax.transform.DeadCodeElimination()(mod)
