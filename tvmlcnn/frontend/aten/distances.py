"""Distances between all pairs of two sets of vectors."""

from __future__ import annotations

import math

from tvm import relax

from .emitter import Call, Converter, Emitter, Value, shape_of

op = relax.op


def _cdist(emit: Emitter, call: Call) -> Value:
    """Return a norm of the difference of each pair, which loses nothing where two are near."""
    first, second, p = call.x1, call.x2, float(call.p)
    *batch, count, size = shape_of(first)
    first = emit.reshape(first, [*batch, count, 1, size])
    *batch, count, _ = shape_of(second)
    second = emit.reshape(second, [*batch, 1, count, size])
    difference = emit(op.subtract, first, second)
    if p == 2:
        return emit(op.sqrt, emit(op.sum, emit(op.multiply, difference, difference), [-1]))
    away = emit(op.abs, difference)
    if p == math.inf:
        return emit(op.max, away, [-1])
    if p == 0:
        zero = emit.scalar(0, call.dtype_)
        return emit(op.sum, emit.cast(emit(op.not_equal, away, zero), call.dtype_), [-1])
    if p == 1:
        return emit(op.sum, away, [-1])
    total = emit(op.sum, emit(op.power, away, emit.scalar(p, call.dtype_)), [-1])
    return emit(op.power, total, emit.scalar(1 / p, call.dtype_))


TABLE: dict[str, Converter] = {"_cdist_forward.default": _cdist}
