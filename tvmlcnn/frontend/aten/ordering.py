"""Sorting, what of a sorted line is wanted, searching in one, and running totals."""

from __future__ import annotations

import math

import numpy as np
from tvm import relax

from tvmlcnn.graph import rows

from .emitter import Call, Converter, Emitter, Value, dtype_of, shape_of

op = relax.op


def sorted_along(
    emit: Emitter, data: Value, axis: int, count: int, descending: bool
) -> tuple[Value, Value]:
    """Return the first ``count`` elements along an axis in order, and where they were."""
    shape = shape_of(data)
    if not shape:
        return data, emit.scalar(0, "int64")
    axis %= len(shape)
    wanted = [*shape[:axis], count, *shape[axis + 1 :]]
    if not math.prod(wanted):
        return tuple(emit(op.zeros, wanted, dtype) for dtype in (dtype_of(data), "int64"))
    axes = [i for i in range(len(shape)) if i != axis] + [axis]
    lines = emit.reshape(emit.permute(data, axes), [math.prod(shape) // shape[axis], shape[axis]])
    both = emit(rows.sort, lines, count, descending)
    found = []
    for number in (0, 1):
        lines = emit(relax.TupleGetItem, both, number)
        whole = emit.reshape(lines, [*(shape[i] for i in axes[:-1]), count])
        found.append(emit.permute(whole, [axes.index(i) for i in range(len(shape))]))
    return found[0], found[1]


def _sort(emit: Emitter, call: Call) -> list[Value]:
    shape = shape_of(call.self)
    size = shape[call.dim] if shape else 1
    return list(sorted_along(emit, call.self, call.dim, size, bool(call.descending)))


def _topk(emit: Emitter, call: Call) -> list[Value]:
    return list(sorted_along(emit, call.self, call.dim, call.k, bool(call.largest)))


def _last_of(emit: Emitter, call: Call, dim: int, count: int, keep: bool) -> list[Value]:
    """Return the ``count``-th smallest element along an axis, and where it is."""
    shape = shape_of(call.self)
    found = sorted_along(emit, call.self, dim, count, False)
    if not shape:
        return list(found)
    axis = dim % len(shape)
    last = [emit.slice(value, axis, count - 1, count) for value in found]
    kept = [size for i, size in enumerate(shape) if i != axis]
    return last if keep else [emit.reshape(value, kept) for value in last]


def _kthvalue(emit: Emitter, call: Call) -> list[Value]:
    return _last_of(emit, call, call.dim, call.k, bool(call.keepdim))


def _median(emit: Emitter, call: Call) -> Value:
    """Return the lower one of two medians; NaN, the first one, where there is one."""
    data = call.self
    dim: Value = call.values.get("dim")
    keep = bool(call.values.get("keepdim", False))
    whole = dim is None
    if whole:
        data, dim = emit.reshape(data, [math.prod(shape_of(data))]), 0
        call = Call(call.node, call.raw, {**call.values, "self": data})
    size = shape_of(data)[dim] if shape_of(data) else 1
    value, place = _last_of(emit, call, dim, (size + 1) // 2, keep)
    if "float" in dtype_of(data) and shape_of(data):
        axis = dim % len(shape_of(data))
        unknown = emit.cast(emit(op.isnan, data), "int8")
        none = emit(op.equal, emit(op.max, unknown, [axis], keep), emit.scalar(0, "int8"))
        value = emit(op.where, none, value, emit.scalar(math.nan, dtype_of(data)))
        place = emit(op.where, none, place, emit(op.argmax, unknown, axis, keep))
    return value if whole else [value, place]


def _scan(kind: str) -> Converter:
    """Scan an axis, the middle one of three."""

    def convert(emit: Emitter, call: Call) -> Value:
        extreme = kind in ("max", "min")
        data = call.self if extreme else emit.cast(call.self, call.dtype_)
        shape, dtype = shape_of(data), dtype_of(data)
        if not math.prod(shape) or not shape:
            zeros = emit(op.zeros, shape, "int64") if extreme else None
            return [data, zeros] if extreme else data
        if dtype == "bool":  # which has no least and greatest number in TVM
            data, dtype = emit.cast(data, "uint8"), "uint8"
        axis = call.dim % len(shape)
        sides = [math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])]
        lines = emit.reshape(data, sides)
        if not extreme:
            return emit.reshape(emit(rows.scan, lines, kind, dtype), shape)
        both = emit(rows.scan, lines, kind, dtype)
        found, place = (emit.reshape(emit(relax.TupleGetItem, both, i), shape) for i in (0, 1))
        return [emit.cast(found, dtype_of(call.self)), place]

    return convert


def _search(emit: Emitter, bounds: Value, values: Value, right: bool, dtype: str) -> Value:
    """Return where values belong in sorted rows of bounds."""
    common = np.promote_types(dtype_of(bounds), dtype_of(values)).name
    shape, size = shape_of(values), shape_of(bounds)[-1]
    if not math.prod(shape) or not size:
        return emit(op.zeros, shape, dtype)
    lines = math.prod(shape_of(bounds)[:-1])
    values = emit.reshape(emit.cast(values, common), [lines, math.prod(shape) // lines])
    bounds = emit.reshape(emit.cast(bounds, common), [lines, size])
    return emit.reshape(emit(rows.search, bounds, values, right, dtype), shape)


def _tensor(emit: Emitter, value: Value, like: Value) -> Value:
    """Return a number as a tensor: of floating point, or of the type of what it is compared with.

    torch makes a number one of the default type, which an integer is not changed by.
    """
    if isinstance(value, relax.Expr):
        return value
    return emit.scalar(value, "float32" if isinstance(value, float) else dtype_of(like))


def _bucketize(emit: Emitter, call: Call) -> Value:
    values = _tensor(emit, call.self, call.boundaries)
    return _search(emit, call.boundaries, values, bool(call.right), call.dtype_)


def _searchsorted(emit: Emitter, call: Call) -> Value:
    right = bool(call.right) or call.values.get("side") == "right"
    bounds = call.sorted_sequence
    if call.values.get("sorter") is not None:
        bounds = emit.gather(bounds, call.sorter, len(shape_of(bounds)) - 1)
    return _search(emit, bounds, _tensor(emit, call.self, bounds), right, call.dtype_)


TABLE: dict[str, Converter] = {
    "sort.default": _sort,
    "sort.stable": _sort,
    "topk.default": _topk,
    "kthvalue.default": _kthvalue,
    "median.default": _median,
    "median.dim": _median,
    "cumsum.default": _scan("sum"),
    "cumprod.default": _scan("prod"),
    "logcumsumexp.default": _scan("logsumexp"),
    "cummax.default": _scan("max"),
    "cummin.default": _scan("min"),
    "bucketize.Tensor": _bucketize,
    "bucketize.Scalar": _bucketize,
    "searchsorted.Tensor": _searchsorted,
    "searchsorted.Scalar": _searchsorted,
}
