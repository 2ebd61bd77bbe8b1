"""Convolutions of one, two and three dimensions, and transposed ones."""

from __future__ import annotations

from collections.abc import Callable

from tvm import relax

from .emitter import Call, Converter, Emitter, Value, shape_of

op = relax.op

_FORWARD: dict[int, Callable[..., relax.Expr]] = {
    1: op.nn.conv1d,
    2: op.nn.conv2d,
    3: op.nn.conv3d,
}
_TRANSPOSED: dict[int, Callable[..., relax.Expr]] = {
    1: op.nn.conv1d_transpose,
    2: op.nn.conv2d_transpose,
    3: op.nn.conv3d_transpose,
}


def _convolution(emit: Emitter, call: Call) -> Value:
    batched = len(shape_of(call.input)) == len(shape_of(call.weight))
    data = call.input if batched else emit.reshape(call.input, [1, *shape_of(call.input)])
    rank = len(shape_of(data)) - 2
    padding = _each(call.padding, rank)
    attrs = {
        "strides": _each(call.stride, rank),
        "padding": [*padding, *padding],
        "dilation": _each(call.dilation, rank),
        "groups": int(call.groups),
    }
    if call.transposed:
        attrs["output_padding"] = _each(call.output_padding, rank)
    operator = (_TRANSPOSED if call.transposed else _FORWARD)[rank]
    result = emit(operator, data, call.weight, **attrs)
    if call.bias is not None:
        shape = [1, shape_of(call.bias)[0], *[1] * rank]
        result = emit(op.add, result, emit.reshape(call.bias, shape))
    return result if batched else emit.reshape(result, call.shape_)


def _each(sizes: list[int], rank: int) -> list[int]:
    return list(sizes) * rank if len(sizes) == 1 else list(sizes)


TABLE: dict[str, Converter] = {"convolution.default": _convolution}
