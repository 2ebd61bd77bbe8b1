"""Elements by their places, which tensors say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tvm import relax

from tvmlcnn.errors import UserError
from tvmlcnn.graph import rows
from tvmlcnn.graph.constants import constant, value_of

from .emitter import Call, Converter, Emitter, Value, dtype_of, shape_of

op = relax.op


def _from_front(emit: Emitter, indices: Value, size: int) -> Value:
    """Return indices with negative ones counted from the front."""
    array = value_of(indices)
    if array is not None:
        return constant(np.where(array < 0, array + size, array))
    if dtype_of(indices) == "uint8":
        return emit.cast(indices, "int64")
    negative = emit(op.less, indices, emit.scalar(0, dtype_of(indices)))
    wrapped = emit(op.add, indices, emit.scalar(size, dtype_of(indices)))
    return emit(op.where, negative, wrapped, indices)


def _index(emit: Emitter, call: Call) -> Value:
    data, indices = _without_masks(emit, call.self, call.indices)
    if data is None:
        raise UserError(
            "a boolean mask that depends on the input's values gives a shape that does too"
        )
    merged = _merged(emit, data, indices)
    lead, rank = len(merged.before), len(shape_of(merged.index))
    taken = emit.take(merged.data, merged.index, lead)
    # Where the indexed axes are not neighbours torch puts theirs in front.
    if not merged.neighbours:
        taken = emit.permute(taken, [*range(lead, lead + rank), *range(lead)])
    return emit.reshape(taken, call.shape_)


def _without_masks(
    emit: Emitter, data: Value, indices: Sequence[Value]
) -> tuple[Value | None, list[Value]]:
    """Return the indices with known masks as numbers; no data where a mask is not known."""
    result: list[Value] = []
    for index in indices:
        if index is None or dtype_of(index) != "bool":
            result.append(index)
            continue
        mask = value_of(index)
        if mask is None:
            return None, []
        result += [constant(places.astype(np.int64)) for places in np.nonzero(mask)]
    return data, result + [None] * (len(shape_of(data)) - len(result))


@dataclass(frozen=True)
class _Merged:
    """Data whose indexed axes are one, and an index into that.

    Attributes
    ----------
    data : relax.Expr
        The axes before the merged one, that, and those after it.
    index : relax.Expr
    before, axes, after : list of int
        The axes of the old data. Those that are indexed take the place of the first of them; where
        they are not neighbours all others are before.
    neighbours : bool
    """

    data: Value
    index: Value
    before: list[int]
    axes: list[int]
    after: list[int]
    neighbours: bool


def _merged(emit: Emitter, data: Value, indices: Sequence[Value]) -> _Merged:
    shape = shape_of(data)
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    flat: Value = None
    for axis in axes:
        index = _from_front(emit, indices[axis], shape[axis])
        flat = index if flat is None else _sum_of_indices(emit, flat, index, shape[axis])
    neighbours = axes == list(range(axes[0], axes[0] + len(axes)))
    others = [axis for axis in range(len(shape)) if axis not in axes]
    before = [axis for axis in others if axis < axes[0]] if neighbours else others
    after = [axis for axis in others if axis > axes[-1]] if neighbours else []
    moved = emit.permute(data, [*before, *axes, *after])
    size = math.prod(shape[axis] for axis in axes)
    moved = emit.reshape(moved, [*_sizes(data, before), size, *_sizes(data, after)])
    return _Merged(moved, flat, before, axes, after, neighbours)


def _sizes(data: Value, axes: Sequence[int]) -> list[int]:
    return [shape_of(data)[axis] for axis in axes]


def _sum_of_indices(emit: Emitter, flat: Value, index: Value, size: int) -> Value:
    arrays = value_of(flat), value_of(index)
    if arrays[0] is not None and arrays[1] is not None:
        return constant(arrays[0] * size + arrays[1])
    flat = emit(op.multiply, emit.cast(flat, "int64"), emit.scalar(size, "int64"))
    return emit(op.add, flat, emit.cast(index, "int64"))


def _index_select(emit: Emitter, call: Call) -> Value:
    if not shape_of(call.self):
        return emit.reshape(call.self, call.shape_)
    axis = call.dim % len(shape_of(call.self))
    indices = emit.reshape(call.index, [call.shape_[axis]])
    return emit.take(call.self, _from_front(emit, indices, shape_of(call.self)[axis]), axis)


def _embedding(emit: Emitter, call: Call) -> Value:
    return emit.take(call.weight, call.indices, 0)


def _gather(emit: Emitter, call: Call) -> Value:
    data, index = call.self, call.index
    if not shape_of(index):
        return emit.reshape(data, ())
    if not shape_of(data):
        return emit(op.broadcast_to, data, shape_of(index))
    axis = call.dim % len(shape_of(data))
    for other, size in enumerate(shape_of(index)):
        if other != axis:
            data = emit.slice(data, other, 0, size)
    return emit.gather(data, index, axis)


def _scatter(reduction: str) -> Converter:
    """Write, add or combine elements at places along an axis."""

    def convert(emit: Emitter, call: Call) -> Value:
        how = str(call.values.get("reduce", reduction))
        how = {"sum": "add", "prod": "mul", "multiply": "mul", "amax": "max", "amin": "min"}.get(
            how, how
        )
        data, index = call.self, emit.cast(call.index, "int64")
        if not math.prod(shape_of(index)):
            return data
        updates = call.values.get("src", call.values.get("value"))
        if isinstance(updates, relax.Expr) and shape_of(updates):
            for axis, size in enumerate(shape_of(index)):
                updates = emit.slice(updates, axis, 0, size)
        else:
            updates = emit(op.broadcast_to, emit.cast(updates, call.dtype_), shape_of(index))
        shape = call.shape_ or (1,)
        data, index, updates = (
            emit.reshape(value, shape_of(value) or (1,)) for value in (data, index, updates)
        )
        whole = bool(call.values.get("include_self", True))
        axis = call.dim % len(shape)
        result = _scattered(emit, data, index, updates, axis, how, whole)
        return emit.reshape(result, call.shape_)

    return convert


def _scattered(
    emit: Emitter,
    data: Value,
    index: Value,
    updates: Value,
    axis: int,
    how: str,
    include_self: bool = True,
) -> Value:
    """Return data with updates at places of an axis; the sum of bools is whether any is true."""
    dtype = dtype_of(data)
    if dtype == "bool":
        how = {"add": "max", "mul": "min"}.get(how, how)
        data, updates = emit.cast(data, "int8"), emit.cast(updates, "int8")
    result = emit(rows.scatter, data, index, updates, axis, how, include_self)
    return emit.cast(result, dtype)


def _index_put(emit: Emitter, call: Call) -> Value:
    """Write or add values at places that indices of some axes say."""
    masks = [index for index in call.indices if index is not None]
    values = emit.cast(call.values["values"], call.dtype_)
    data, indices = _without_masks(emit, call.self, call.indices)
    if data is None:
        if len(masks) == 1 and math.prod(shape_of(values)) == 1 and not call.accumulate:
            return _masked_fill(emit, call, emit.reshape(values, ()))
        raise UserError("which value a place gets depends on the input's values; use torch.where")
    if not math.prod(shape_of(data)):
        return data
    merged = _merged(emit, data, indices)
    places = shape_of(merged.index)
    before, after = _sizes(data, merged.before), _sizes(data, merged.after)
    # Values are as the result of indexing is: the index's axes in front where they are apart.
    if merged.neighbours:
        values = emit(op.broadcast_to, values, [*before, *places, *after])
    else:
        values = emit(op.broadcast_to, values, [*places, *before])
        rank = len(places)
        axes = [*range(rank, rank + len(before)), *range(rank)]
        values = emit.permute(values, axes)
    count = math.prod(places)
    if not count:
        return data
    index = emit.reshape(emit.cast(merged.index, "int64"), [count])
    values = emit.reshape(values, [*before, count, *after])
    how = "add" if call.accumulate else "update"
    result = _scattered(emit, merged.data, index, values, len(before), how)
    order = [*merged.before, *merged.axes, *merged.after]
    result = emit.reshape(result, _sizes(data, order))
    return emit.permute(result, [order.index(axis) for axis in range(len(order))])


def _masked_fill(emit: Emitter, call: Call, value: Value) -> Value:
    """Write one value wherever a mask of the first axes, or of some further on, is true."""
    (axis,) = [i for i, index in enumerate(call.indices) if index is not None]
    mask = call.indices[axis]
    rest = len(shape_of(call.self)) - axis - len(shape_of(mask))
    mask = emit.reshape(mask, [*shape_of(mask), *[1] * rest])
    return emit(op.where, mask, value, call.self)


TABLE: dict[str, Converter] = {
    "index.Tensor": _index,
    "_unsafe_index.Tensor": _index,
    "index_select.default": _index_select,
    "embedding.default": _embedding,
    "gather.default": _gather,
    "scatter.src": _scatter("update"),
    "scatter.value": _scatter("update"),
    "scatter_add.default": _scatter("add"),
    "scatter.reduce": _scatter("update"),
    "scatter.value_reduce": _scatter("update"),
    "scatter_reduce.two": _scatter("update"),
    "index_put.default": _index_put,
}
