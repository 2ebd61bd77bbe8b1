"""Views, parts, joins and paddings: operators that only say which element goes where."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from tvm import relax

from .emitter import Call, Converter, Emitter, Value, dtype_of, shape_of

op = relax.op


def _same(emit: Emitter, call: Call) -> Value:
    return call.self


def _view(emit: Emitter, call: Call) -> Value:
    return emit.reshape(call.self, call.shape_)


def _permute(emit: Emitter, call: Call) -> Value:
    rank = len(call.shape_)
    return emit.permute(call.self, [dim % rank for dim in call.dims])


def _expand(emit: Emitter, call: Call) -> Value:
    if shape_of(call.self) == call.shape_:
        return call.self
    return emit(op.broadcast_to, call.self, call.shape_)


def _slice(emit: Emitter, call: Call) -> Value:
    axis = call.dim % len(shape_of(call.self))
    begin, end = _bounds(call, shape_of(call.self)[axis])
    return emit.slice(call.self, axis, begin, max(begin, end), call.step)


def _bounds(call: Call, size: int) -> tuple[int, int]:
    begin, end, _ = slice(call.start, call.end).indices(size)
    return begin, end


def _select(emit: Emitter, call: Call) -> Value:
    axis = call.dim % len(shape_of(call.self))
    index = call.index % shape_of(call.self)[axis]
    return emit.reshape(emit.slice(call.self, axis, index, index + 1), call.shape_)


def _split(emit: Emitter, call: Call) -> list[Value]:
    axis = call.dim % len(shape_of(call.self))
    if len(call.split_sizes) == 1:
        return [call.self]
    if 0 in call.split_sizes:  # which TVM divides by
        return _parts(emit, call.self, axis, call.split_sizes)
    where = np.cumsum(call.split_sizes)[:-1]
    parts = emit(op.split, call.self, [int(n) for n in where], axis)
    return [emit(relax.TupleGetItem, parts, i) for i in range(len(call.split_sizes))]


def _parts(emit: Emitter, data: Value, axis: int, sizes: Sequence[int]) -> list[Value]:
    """Return parts of an axis one after the other, some of them empty."""
    parts, begin = [], 0
    for size in sizes:
        shape = [*shape_of(data)[:axis], size, *shape_of(data)[axis + 1 :]]
        whole = emit.slice(data, axis, begin, begin + size) if size else None
        parts.append(emit(op.zeros, shape, dtype_of(data)) if whole is None else whole)
        begin += size
    return parts


def _cat(emit: Emitter, call: Call) -> Value:
    parts = [emit.cast(part, call.dtype_) for part in call.tensors]
    return emit.concat(parts, call.dim % len(call.shape_))


def _constant_pad(emit: Emitter, call: Call) -> Value:
    """Pad with a value; what is to be padded by less than nothing is cut."""
    data, rank, widths = call.self, len(call.shape_), [0] * 2 * len(call.shape_)
    for number, (before, after) in enumerate(zip(call.pad[::2], call.pad[1::2], strict=True)):
        axis = rank - 1 - number
        size = shape_of(data)[axis]
        data = emit.slice(data, axis, max(0, -before), size - max(0, -after))
        widths[2 * axis : 2 * axis + 2] = max(0, before), max(0, after)
    if not any(widths):
        return data
    if 0 in shape_of(data):
        return emit(op.full, call.shape_, emit.scalar(call.value, call.dtype_), call.dtype_)
    value = float(np.asarray(call.value).astype(call.dtype_))
    return emit(op.nn.pad, data, widths, "constant", value)


def _pad_by_index(within: Callable[[np.ndarray, int], np.ndarray]) -> Converter:
    """Pad each axis with elements of its own; the given tells which ones, by place and size."""

    def convert(emit: Emitter, call: Call) -> Value:
        data = call.self
        widths: Value = call.values.get("padding", call.values.get("pad"))
        rank = len(call.shape_)
        for number, (before, after) in enumerate(zip(widths[::2], widths[1::2], strict=True)):
            axis = rank - 1 - number
            size = shape_of(data)[axis]
            if before or after:
                data = emit.take(data, within(np.arange(-before, size + after), size), axis)
        return data

    return convert


def _reflected(places: np.ndarray, size: int) -> np.ndarray:
    """Return places mirrored at the first and the last one."""
    folded = np.abs(places) % max(1, 2 * (size - 1))
    return np.minimum(folded, 2 * (size - 1) - folded)


def _nearest(places: np.ndarray, size: int) -> np.ndarray:
    return np.clip(places, 0, size - 1)


def _wrapped(places: np.ndarray, size: int) -> np.ndarray:
    """Return places that begin anew after the last one; what is cut off does not come again."""
    first, last = max(0, int(places[0])), min(size, int(places[-1]) + 1)
    return first + (places - first) % (last - first)


def _flip(emit: Emitter, call: Call) -> Value:
    data = call.self
    for dim in call.dims:
        data = emit(op.flip, data, dim % len(call.shape_))
    return data


def _repeat(emit: Emitter, call: Call) -> Value:
    data, rank = call.self, len(call.repeats)
    data = emit.reshape(data, [1] * (rank - len(shape_of(data))) + list(shape_of(data)))
    return data if set(call.repeats) <= {1} else emit(op.tile, data, list(call.repeats))


def _unfold(emit: Emitter, call: Call) -> Value:
    """Give the windows along an axis an axis of their own, the last one."""
    rank = len(shape_of(call.self))
    if not rank:
        return emit.reshape(call.self, call.shape_)
    axis = call.dimension % rank
    starts = np.arange(0, shape_of(call.self)[axis] - call.size + 1, call.step)
    windows = emit.take(call.self, starts[:, None] + np.arange(call.size), axis)
    axes = [i for i in range(rank + 1) if i != axis + 1]
    return emit.permute(windows, [*axes, axis + 1])


def _by_flat_index(emit: Emitter, data: Value, flat: np.ndarray) -> Value:
    whole = emit.reshape(data, [math.prod(shape_of(data))])
    return emit.reshape(emit.take(whole, flat.reshape(-1), 0), flat.shape)


def _diagonal(emit: Emitter, call: Call) -> Value:
    shape = shape_of(call.self)
    flat = np.arange(math.prod(shape)).reshape(shape)
    return _by_flat_index(emit, call.self, np.diagonal(flat, call.offset, call.dim1, call.dim2))


def _as_strided(emit: Emitter, call: Call) -> Value:
    """Read the elements by their places in memory, where the tensor has them in their order."""
    if not call.raw["self"].meta["val"].is_contiguous():
        raise ValueError("strides of a tensor that is a view itself have no meaning here")
    flat = np.full((), call.storage_offset or 0)
    for size, stride in zip(call.size, call.stride, strict=True):
        flat = flat[..., None] + np.arange(size) * stride
    return _by_flat_index(emit, call.self, flat)


def _scatter_part(emit: Emitter, call: Call, axis: int, places: np.ndarray, part: Value) -> Value:
    """Return a tensor with some of the places of one axis taken from another tensor."""
    size = shape_of(call.self)[axis]
    part = emit.cast(part, call.dtype_)
    if len(places) == 0:
        return call.self
    first, last = int(places[0]), int(places[-1])
    if last - first + 1 == len(places):
        before = emit.slice(call.self, axis, 0, first)
        return emit.concat([before, part, emit.slice(call.self, axis, last + 1, size)], axis)
    table = np.arange(size)
    table[places] = size + np.arange(len(places))
    return emit.take(emit.concat([call.self, part], axis), table, axis)


def _slice_scatter(emit: Emitter, call: Call) -> Value:
    axis = call.dim % len(call.shape_)
    begin, end = _bounds(call, call.shape_[axis])
    return _scatter_part(emit, call, axis, np.arange(begin, end, call.step), call.src)


def _select_scatter(emit: Emitter, call: Call) -> Value:
    axis = call.dim % len(call.shape_)
    shape = list(call.shape_)
    index, shape[axis] = call.index % shape[axis], 1
    return _scatter_part(emit, call, axis, np.array([index]), emit.reshape(call.src, shape))


def _copy(emit: Emitter, call: Call) -> Value:
    source = emit.cast(call.src, call.dtype_)
    if shape_of(source) == call.shape_:
        return source
    return emit(op.broadcast_to, source, call.shape_)


TABLE: dict[str, Converter] = {
    **dict.fromkeys(
        ["alias.default", "clone.default", "detach.default", "lift_fresh_copy.default"], _same
    ),
    **dict.fromkeys(
        [
            "view.default",
            "unsqueeze.default",
            "squeeze.dim",
            "squeeze.dims",
            "_unsafe_view.default",
            "view_copy.default",
        ],
        _view,
    ),
    "permute.default": _permute,
    "permute_copy.default": _permute,
    "expand.default": _expand,
    "slice.Tensor": _slice,
    "select.int": _select,
    "split_with_sizes.default": _split,
    "cat.default": _cat,
    "constant_pad_nd.default": _constant_pad,
    **{f"reflection_pad{n}d.default": _pad_by_index(_reflected) for n in (1, 2, 3)},
    **{f"replication_pad{n}d.default": _pad_by_index(_nearest) for n in (1, 2, 3)},
    "_pad_circular.default": _pad_by_index(_wrapped),
    "flip.default": _flip,
    "repeat.default": _repeat,
    "unfold.default": _unfold,
    "diagonal.default": _diagonal,
    "as_strided.default": _as_strided,
    "as_strided_copy.default": _as_strided,
    "slice_scatter.default": _slice_scatter,
    "select_scatter.default": _select_scatter,
    "copy.default": _copy,
}
