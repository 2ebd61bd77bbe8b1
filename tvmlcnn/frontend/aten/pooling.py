"""Pooling of windows, and of as many parts as are asked for.

How far the last window reaches is told by the result's size in torch's graph, not computed again:
torch leaves out a window that would begin beyond the map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tvm import relax

from tvmlcnn.errors import UserError
from tvmlcnn.graph.constants import constant
from tvmlcnn.graph.resample import resample
from tvmlcnn.ops.resampling import adaptive_average

from .emitter import Call, Converter, Emitter, Value, shape_of

op = relax.op

_MAX: dict[int, Callable[..., relax.Expr]] = {
    1: op.nn.max_pool1d,
    2: op.nn.max_pool2d,
    3: op.nn.max_pool3d,
}
_AVERAGE: dict[int, Callable[..., relax.Expr]] = {
    1: op.nn.avg_pool1d,
    2: op.nn.avg_pool2d,
    3: op.nn.avg_pool3d,
}


@dataclass(frozen=True)
class _Windows:
    """Windows of a map: sizes, steps, what lies before and after, an entry an axis."""

    size: list[int]
    strides: list[int]
    dilation: list[int]
    before: list[int]
    after: list[int]

    @property
    def padding(self) -> list[int]:
        """As Relax has it."""
        return [*self.before, *self.after]


def _windows(call: Call, rank: int, outputs: Sequence[int]) -> _Windows:
    def each(name: str, usual: list[int]) -> list[int]:
        sizes = call.values.get(name)
        sizes = [sizes] if isinstance(sizes, int) else list(sizes or usual)
        return sizes * rank if len(sizes) == 1 else sizes

    size = each("kernel_size", [])
    strides, dilation = each("stride", size), each("dilation", [1])
    before = each("padding", [0])
    sizes = shape_of(call.self)[-rank:]
    after = [
        max(0, (n - 1) * s + (k - 1) * d + 1 - m - b)
        for n, s, k, d, m, b in zip(outputs, strides, size, dilation, sizes, before, strict=True)
    ]
    return _Windows(size, strides, dilation, before, after)


def _batched(emit: Emitter, data: Value, rank: int) -> Value:
    shape = shape_of(data)
    return data if len(shape) == rank + 2 else emit.reshape(data, [1, *shape])


def _max_pool(rank: int, with_places: bool = False) -> Converter:
    def convert(emit: Emitter, call: Call) -> Value:
        result = call.node.meta["val"]
        shape = [int(n) for n in (result[0] if with_places else result).shape]
        windows = _windows(call, rank, shape[-rank:])
        data = _batched(emit, call.self, rank)
        pooled = emit(
            _MAX[rank], data, windows.size, windows.strides, windows.padding, windows.dilation
        )
        pooled = emit.reshape(pooled, shape)
        if not with_places:
            return pooled
        if not any(_is_second(user) for user in call.node.users):
            return [pooled, None]
        tables = [_table(windows, axis, shape[axis - rank]) for axis in range(rank)]
        return [pooled, _places(emit, call.self, tables, shape)]

    return convert


def _is_second(user: object) -> bool:
    return getattr(user, "args", (None, None))[1] == 1


def _table(windows: _Windows, axis: int, outputs: int) -> np.ndarray:
    """Return where each window's taps are along an axis, shape (outputs, taps); -1 is outside."""
    starts = np.arange(outputs) * windows.strides[axis] - windows.before[axis]
    return starts[:, None] + np.arange(windows.size[axis]) * windows.dilation[axis]


def _places(
    emit: Emitter, data: Value, tables: list[np.ndarray], shape: Sequence[int]
) -> relax.Expr:
    """Return where in its map each window has its maximum, counted through the map."""
    rank = len(tables)
    sizes = shape_of(data)[-rank:]
    flat, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
    for table, size in zip(tables, sizes, strict=True):
        clipped = np.clip(table, 0, size - 1)
        ok = (table >= 0) & (table < size)
        flat = (flat[:, None, :, None] * size + clipped[None, :, None, :]).reshape(
            flat.shape[0] * table.shape[0], -1
        )
        inside = (inside[:, None, :, None] & ok[None, :, None, :]).reshape(flat.shape)
    lead = shape_of(data)[:-rank]
    maps = emit.reshape(data, [*lead, math.prod(sizes)])
    # What is outside repeats a tap of its window that is inside, so that it is never the first.
    first = flat[np.arange(len(flat)), inside.argmax(1)]
    flat = np.where(inside, flat, first[:, None])
    best = emit(op.argmax, emit.take(maps, flat, len(lead)), -1, False)
    offset = constant(np.arange(len(flat), dtype=np.int64) * flat.shape[1])
    best = emit.take(constant(flat.reshape(-1)), emit(op.add, best, offset), 0)
    return emit.reshape(best, list(shape))


def _average_pool(rank: int) -> Converter:
    def convert(emit: Emitter, call: Call) -> Value:
        windows = _windows(call, rank, call.shape_[-rank:])
        data, dtype = _batched(emit, call.self, rank), call.dtype_
        if "float" not in dtype:
            raise UserError("the mean of integers is no integer; convert them to float first")
        divisor = call.values.get("divisor_override")
        beyond = any(a > b for a, b in zip(windows.after, windows.before, strict=True))
        include = bool(call.count_include_pad)
        pool = _AVERAGE[rank]
        if divisor is None and not (include and beyond):
            pooled = emit(
                pool,
                data,
                windows.size,
                windows.strides,
                windows.padding,
                windows.dilation,
                count_include_pad=include,
            )
            return emit.reshape(pooled, call.shape_)
        widths = [0] * 4 + [
            n for pair in zip(windows.before, windows.after, strict=True) for n in pair
        ]
        if any(widths):
            data = emit(op.nn.pad, data, widths, "constant", 0.0)
        pooled = emit(pool, data, windows.size, windows.strides, [0] * 2 * rank, windows.dilation)
        factor = constant(_counts(call, windows, rank, divisor).astype(dtype))
        return emit.reshape(emit(op.multiply, pooled, factor), call.shape_)

    return convert


def _counts(call: Call, windows: _Windows, rank: int, divisor: int | None) -> np.ndarray:
    """Return what the mean of a whole window is to be multiplied by, for each of them.

    The divisor is the count of the taps that are within the padded map.
    """
    taps = math.prod(windows.size)
    if divisor is not None:
        return np.array(taps / divisor)
    factor = np.array(float(taps))
    for axis in range(rank):
        size, before = shape_of(call.self)[axis - rank], windows.before[axis]
        within = (_table(windows, axis, call.shape_[axis - rank]) < size + before).sum(1)
        factor = factor[..., None] / within
    return factor


def _adaptive_average_pool(rank: int) -> Converter:
    """Take the mean of the map, of windows that divide it, or of those that overlap."""

    def convert(emit: Emitter, call: Call) -> Value:
        data, dtype = call.self, call.dtype_
        sizes, outputs = shape_of(data)[-rank:], call.shape_[-rank:]
        if math.prod(outputs) == 1:
            return emit(op.mean, data, list(range(-rank, 0)), True)
        if not any(m % n for m, n in zip(sizes, outputs, strict=True)):
            windows = [m // n for m, n in zip(sizes, outputs, strict=True)]
            pooled = emit(_AVERAGE[rank], _batched(emit, data, rank), windows, windows)
            return emit.reshape(pooled, call.shape_)
        first = len(shape_of(data)) - rank
        pairs = enumerate(zip(sizes, outputs, strict=True))
        tables = {first + axis: adaptive_average(m, n, dtype) for axis, (m, n) in pairs}
        return emit(resample, data, tables)

    return convert


def _adaptive_max_pool(rank: int) -> Converter:
    """Take the maximum of parts, whose bounds are rounded outward, an axis at a time."""

    def convert(emit: Emitter, call: Call) -> list[Value]:
        shape = [int(n) for n in call.node.meta["val"][0].shape]
        data = call.self
        tables = []
        for axis in range(len(shape) - rank, len(shape)):
            size, outputs = shape_of(data)[axis], shape[axis]
            begin = np.arange(outputs) * size // outputs
            end = -(-(np.arange(outputs) + 1) * size // outputs)
            # A shorter part repeats its last element.
            taps = np.arange(int((end - begin).max()))
            table = np.minimum(begin[:, None] + taps, end[:, None] - 1)
            tables.append(table)
            if table.shape != (size, 1):
                data = emit(op.max, emit.take(data, table, axis), [axis + 1], False)
        if not any(_is_second(user) for user in call.node.users):
            return [data, None]
        return [data, _places(emit, call.self, tables, shape)]

    return convert


TABLE: dict[str, Converter] = {
    **{f"max_pool{n}d.default": _max_pool(n) for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices.default": _max_pool(n, True) for n in (1, 2, 3)},
    **{f"avg_pool{n}d.default": _average_pool(n) for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d.default": _adaptive_average_pool(n) for n in (1, 2, 3)},
    **{f"_adaptive_avg_pool{n}d.default": _adaptive_average_pool(n) for n in (2, 3)},
    **{f"adaptive_max_pool{n}d.default": _adaptive_max_pool(n) for n in (1, 2, 3)},
}
