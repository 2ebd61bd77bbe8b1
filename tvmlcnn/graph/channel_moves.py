"""Operators that only move channels, as a shuffle does: nothing is moved, their places change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tvm import relax

from .constants import value_of
from .permuted import FRAMES, LINE, NHWC, SPLIT_NHWC, Permuted
from .rewriter import Rewriter

_PIXELS = frozenset({2, 3})
"""The axes of a map's rows and columns, which each plane of channels has alike."""


def split(rewriter: Rewriter, call: relax.Call) -> list[Permuted] | None:
    """Split channels by telling where those of each part are; other axes by copying."""
    data, axis = rewriter.value(call.args[0]), int(call.attrs.axis) % len(call.args[0].ty.shape)
    if data.order != NHWC:
        return None
    sizes = [int(field.shape[axis]) for field in call.ty.fields]
    where = [int(n) for n in np.cumsum(sizes)[:-1]]
    if axis == 1:
        return [data.at(places) for places in np.split(data.located(), where)]
    if data.places is not None:
        return None
    result = rewriter.builder.emit(relax.op.split(data.expr, where, data.axis(axis)))
    return [
        replace(data, expr=rewriter.builder.emit(relax.TupleGetItem(result, i)))
        for i in range(len(sizes))
    ]


def strided_slice(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Take a slice of the channels by telling where they are; of other axes by copying."""
    data = rewriter.value(call.args[0])
    if data.plain:
        return None
    lists = [[int(field.value) for field in arg.fields] for arg in call.args[1:]]
    old, (begin, end, *step) = [axis % len(data.order) for axis in lists[0]], lists[1:]
    if data.order == NHWC and old == [1]:
        taken = slice(begin[0], end[0], *(values[0] for values in step))
        return data.at(data.located()[taken])
    if data.places is not None and not (data.order == NHWC and set(old) <= _PIXELS):
        return None
    axes = [data.axis(axis) for axis in old]
    result = relax.op.strided_slice(data.expr, axes, begin, end, *step)
    return replace(data, expr=rewriter.builder.emit(result))


def take(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Take known rows and columns, as a reflected border, where the channels are.

    Of known channels, none of them twice, only the places change.
    """
    data, indices = rewriter.value(call.args[0]), value_of(call.args[1])
    if data.plain or indices is None or indices.ndim != 1 or call.attrs.axis is None:
        return None
    axis = int(call.attrs.axis) % len(data.order)
    if data.order == NHWC and axis == 1 and len(np.unique(indices)) == len(indices):
        return data.at(data.located()[indices])
    if data.places is not None and not (data.order == NHWC and axis in _PIXELS):
        return None
    mode = str(call.attrs.mode)
    result = relax.op.take(data.expr, call.args[1], data.axis(axis), mode)
    return replace(data, expr=rewriter.builder.emit(result))


def reshape(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Follow the channels through a split or a merge, through lines, and maps of one pixel."""
    data = rewriter.value(call.args[0])
    old = [int(n) for n in call.args[0].ty.shape]
    new = [int(n) for n in call.ty.shape]
    if data.plain:
        if len(old) != 2 or len(new) != 4 or new[2:] != [1, 1]:
            return None
        shape = [new[0], 1, 1, new[1]]
        return Permuted(rewriter.builder.emit(relax.op.reshape(data.expr, shape)), NHWC)
    if data.order == NHWC and old[2:] == [1, 1] and len(new) == 2 and new[0] == old[0]:
        packed = rewriter.compact(data).expr
        return Permuted(rewriter.builder.emit(relax.op.reshape(packed, new)), (0, 1))
    if data.order == NHWC and new == [*old[:2], old[2] * old[3]]:
        packed = rewriter.compact(data).expr
        line = relax.op.reshape(packed, (new[0], new[2], new[1]))
        return Permuted(rewriter.builder.emit(line), LINE)
    if data.order == LINE and len(new) == 4 and new[:2] == old[:2]:
        shape = [new[0], *new[2:], new[1]]
        return Permuted(rewriter.builder.emit(relax.op.reshape(data.expr, shape)), NHWC)
    if data.order == NHWC and new[2:] == old[1:] and new[0] * new[1] == old[0] > new[0]:
        packed = rewriter.compact(data).expr
        frames = relax.op.reshape(packed, (*new[:2], *new[3:], new[2]))
        return Permuted(rewriter.builder.emit(frames), FRAMES)
    if data.order == NHWC and len(new) == 5 and new[0] == old[0] and new[3:] == old[2:]:
        return replace(data, order=SPLIT_NHWC, places=data.located().reshape(new[1:3]))
    merged = [old[0], old[1] * old[2], *old[3:]] if len(old) == 5 else None
    if data.order == SPLIT_NHWC and data.places is not None and new == merged:
        return replace(data, order=NHWC, places=None).at(data.places.reshape(-1))
    return None


def permute_dims(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Permute axes by telling which is which; of groups of channels only the places change."""
    data = rewriter.value(call.args[0])
    rank = len(data.order)
    axes = [int(axis) % rank for axis in call.attrs.axes or reversed(range(rank))]
    if data.order == SPLIT_NHWC and data.places is not None and axes == [0, 2, 1, 3, 4]:
        return replace(data, places=data.places.T)
    order = tuple(axes.index(axis) for axis in data.order)
    if data.plain and order != NHWC:
        return None
    return Permuted(rewriter.compact(data).expr, order)
