"""Elements by their places, which tensors say."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from tvm import relax

from tvmlcnn.errors import UserError
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
        raise UserError("a boolean mask that depends on the input gives a shape that does too")
    flat, first, lead, merged = _merged(emit, data, indices)
    taken = emit.take(merged, flat, len(lead))
    rank = len(shape_of(flat))
    # Where the indexed axes are not neighbours torch puts theirs in front.
    if first is None:
        axes = [*range(len(lead), len(lead) + rank), *range(len(lead))]
        axes += range(len(lead) + rank, len(shape_of(taken)))
        taken = emit.permute(taken, axes)
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


def _merged(
    emit: Emitter, data: Value, indices: Sequence[Value]
) -> tuple[Value, int | None, list[int], Value]:
    """Return one index into the indexed axes as one, their first axis, and the data so.

    The first axis is None where they are not neighbours: the axes before the merged one are then
    all that are not indexed.
    """
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
    lead = [shape[axis] for axis in before]
    size = math.prod(shape[axis] for axis in axes)
    moved = emit.reshape(moved, [*lead, size, *(shape[axis] for axis in after)])
    return flat, axes[0] if neighbours else None, lead, moved


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
    axis = call.dim % len(shape_of(data))
    for other, size in enumerate(shape_of(index)):
        if other != axis:
            data = emit.slice(data, other, 0, size)
    return emit(op.gather_elements, data, emit.cast(index, "int64"), axis)


def _scatter(reduction: str) -> Converter:
    """Write, add or combine elements at places along an axis."""

    def convert(emit: Emitter, call: Call) -> Value:
        how = call.values.get("reduce", reduction)
        if call.values.get("include_self") is False or how == "mean":
            raise UserError(f"scatter by {how!r} that leaves out what was there cannot be compiled")
        how = {"sum": "add", "prod": "mul", "amax": "max", "amin": "min"}.get(how, how)
        data, index = call.self, emit.cast(call.index, "int64")
        updates = call.values.get("src", call.values.get("value"))
        if isinstance(updates, relax.Expr) and shape_of(updates):
            for axis, size in enumerate(shape_of(index)):
                updates = emit.slice(updates, axis, 0, size)
        else:
            updates = emit(op.broadcast_to, emit.cast(updates, call.dtype_), shape_of(index))
        if not math.prod(shape_of(index)):
            return data
        shape = call.shape_ or (1,)
        data, index, updates = (
            emit.reshape(value, shape_of(value) or (1,)) for value in (data, index, updates)
        )
        axis = call.dim % len(shape)
        return emit.reshape(emit(op.scatter_elements, data, index, updates, axis, how), call.shape_)

    return convert


def _index_put(emit: Emitter, call: Call) -> Value:
    """Write or add values at places that indices of some axes say."""
    masks = [index for index in call.indices if index is not None]
    values = emit.cast(call.values["values"], call.dtype_)
    data, indices = _without_masks(emit, call.self, call.indices)
    if data is None:
        if len(masks) == 1 and not shape_of(values) and not call.accumulate:
            mask = masks[0]
            rest = len(shape_of(call.self)) - len(shape_of(mask))
            mask = emit.reshape(mask, [*shape_of(mask), *[1] * rest])
            return emit(op.where, mask, values, call.self)
        raise UserError("values for a boolean mask that depends on the input cannot be compiled")
    shape = shape_of(data)
    numbers = constant(np.arange(math.prod(shape), dtype=np.int64).reshape(shape))
    flat, first, lead, merged = _merged(emit, numbers, indices)
    places = emit.take(merged, flat, len(lead))
    if first is None:
        rank = len(shape_of(flat))
        order = [*range(len(lead), len(lead) + rank), *range(len(lead))]
        places = emit.permute(places, order)
    values = emit(op.broadcast_to, values, shape_of(places))
    count = math.prod(shape_of(places))
    whole = emit(
        op.scatter_elements,
        emit.reshape(data, [math.prod(shape)]),
        emit.reshape(places, [count]),
        emit.reshape(values, [count]),
        0,
        "add" if call.accumulate else "update",
    )
    return emit.reshape(whole, shape)


TABLE: dict[str, Converter] = {
    "index.Tensor": _index,
    "_unsafe_index.Tensor": _index,
    "index_select.default": _index_select,
    "embedding.default": _embedding,
    "gather.default": _gather,
    "scatter.src": _scatter("update"),
    "scatter.value": _scatter("update"),
    "scatter_add.default": _scatter("add"),
    "scatter_reduce.two": _scatter("update"),
    "index_put.default": _index_put,
}
