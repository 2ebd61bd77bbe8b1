"""Convolutions of one, two and three dimensions, and transposed ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
        result = _transposed(emit, data, call.weight, _each(call.output_padding, rank), attrs)
    else:
        result = emit(_FORWARD[rank], data, call.weight, **attrs)
    if call.bias is not None:
        shape = [1, shape_of(call.bias)[0], *[1] * rank]
        result = emit(op.add, result, emit.reshape(call.bias, shape))
    return result if batched else emit.reshape(result, call.shape_)


def _transposed(
    emit: Emitter, data: Value, weight: Value, beyond: list[int], attrs: dict[str, Any]
) -> Value:
    """Return a transposed convolution; ``beyond`` are the outputs that are added at the ends."""
    rank, strides = len(beyond), attrs["strides"]
    operator = _TRANSPOSED[rank]
    if all(more < stride for more, stride in zip(beyond, strides, strict=True)):
        return emit(operator, data, weight, **attrs, output_padding=beyond)
    # Relax takes no more of them than that; torch does, where the dilation is larger.
    padding = attrs["padding"][:rank]
    result = emit(operator, data, weight, **{**attrs, "padding": [0] * 2 * rank})
    widths = [0] * 2 * (rank + 2)
    for axis, (cut, more) in enumerate(zip(padding, beyond, strict=True), start=2):
        size = shape_of(result)[axis]
        result = emit.slice(result, axis, cut, size - max(0, cut - more))
        widths[2 * axis + 1] = max(0, more - cut)
    return emit(op.nn.pad, result, widths, "constant", 0.0) if any(widths) else result


def _each(sizes: list[int], rank: int) -> list[int]:
    return list(sizes) * rank if len(sizes) == 1 else list(sizes)


TABLE: dict[str, Converter] = {"convolution.default": _convolution}
