"""Sums, means, extremes and their places along axes."""

from __future__ import annotations

import math
from collections.abc import Callable

from tvm import relax

from .emitter import Call, Converter, Emitter, Value, axes_of, dtype_of, shape_of

op = relax.op


def _dims(call: Call) -> Value:
    return call.values.get("dim")


def _along(
    emit: Emitter, operator: Callable[..., relax.Expr], data: relax.Expr, call: Call
) -> relax.Expr:
    """Reduce data along the axes that a call names; what has none is itself."""
    axes = axes_of(_dims(call), len(shape_of(data)))
    if not axes:
        return data
    return emit(operator, data, axes, bool(call.values.get("keepdim", False)))


def _reduction(operator: Callable[..., relax.Expr]) -> Converter:
    """Reduce in the type of the result."""

    def convert(emit: Emitter, call: Call) -> Value:
        return _along(emit, operator, emit.cast(call.self, call.dtype_), call)

    return convert


def _extreme(operator: Callable[..., relax.Expr]) -> Converter:
    """Reduce integers as they are, and bools as integers."""

    def convert(emit: Emitter, call: Call) -> Value:
        dtype = dtype_of(call.self)
        data = emit.cast(call.self, "int8" if dtype == "bool" else dtype)
        return emit.cast(_along(emit, operator, data, call), call.dtype_)

    return convert


def _any(emit: Emitter, call: Call) -> Value:
    """Tell whether anything is not zero: as bool, but of uint8 as uint8."""
    data = emit.cast(emit.cast(call.self, "bool"), "int8")
    return emit.cast(_along(emit, op.max, data, call), call.dtype_)


def _place(operator: Callable[..., relax.Expr]) -> Converter:
    def convert(emit: Emitter, call: Call) -> Value:
        data, keep = call.self, bool(call.keepdim)
        if dtype_of(data) == "bool":
            data = emit.cast(data, "int8")
        if call.dim is None or not shape_of(data):
            data = emit.reshape(data, [math.prod(shape_of(data))])
            return emit.reshape(emit(operator, data, 0, False), call.shape_)
        return emit(operator, data, call.dim % len(shape_of(data)), keep)

    return convert


def _with_place(extreme: Callable[..., relax.Expr], place: Callable[..., relax.Expr]) -> Converter:
    """Return the extreme along one axis, and where it is."""

    def convert(emit: Emitter, call: Call) -> list[Value]:
        data, keep = call.self, bool(call.keepdim)
        if not shape_of(data):
            return [data, emit.scalar(0, "int64")]
        if dtype_of(data) == "bool":
            data = emit.cast(data, "int8")
        axis = call.dim % len(shape_of(data))
        value = emit.cast(emit(extreme, data, [axis], keep), dtype_of(call.self))
        return [value, emit(place, data, axis, keep)]

    return convert


def _variance(emit: Emitter, call: Call) -> Value:
    """Return the mean square of what differs from the mean, in two passes."""
    data, keep = call.self, bool(call.values.get("keepdim", False))
    axes = axes_of(_dims(call), len(shape_of(data)))
    count = math.prod(shape_of(data)[axis] for axis in axes)
    correction = call.values.get("correction", 1 if call.values.get("unbiased", True) else 0)
    correction = 1 if correction is None else correction
    deviation = emit(op.subtract, data, emit(op.mean, data, axes, True))
    squares = emit(op.sum, emit(op.multiply, deviation, deviation), axes, keep)
    degrees = max(0, count - correction)
    factor = 1 / degrees if degrees else math.inf
    return emit(op.multiply, squares, emit.scalar(factor, call.dtype_))


TABLE: dict[str, Converter] = {
    "sum.default": _reduction(op.sum),
    "sum.dim_IntList": _reduction(op.sum),
    "mean.default": _reduction(op.mean),
    "mean.dim": _reduction(op.mean),
    "prod.default": _reduction(op.prod),
    "prod.dim_int": _reduction(op.prod),
    "amax.default": _extreme(op.max),
    "amin.default": _extreme(op.min),
    "max.default": _extreme(op.max),
    "min.default": _extreme(op.min),
    "max.dim": _with_place(op.max, op.argmax),
    "min.dim": _with_place(op.min, op.argmin),
    "argmax.default": _place(op.argmax),
    "argmin.default": _place(op.argmin),
    "any.default": _any,
    "any.dim": _any,
    "any.dims": _any,
    "var.correction": _variance,
    "var.dim": _variance,
}
