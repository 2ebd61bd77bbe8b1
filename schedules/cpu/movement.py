"""Loops of kernels that move data, or compute each element on its own.

Where what is written lies in another order than what is read, one of the two is far apart whichever
loop is the innermost. Square tiles read whole lines of one and write whole lines of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm_ffi
from tvm import ir, tirx
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from .tiles import largest_divisor, power_of_two_divisor

# Elements of a tile's side; chosen by measuring transposes of 64x3136 to 256x4096 on AMD and Intel.
_TILE = 16
# Of a side that is worth a tile.
_SHORTEST = 4
# The inner period of an axis that is cut in two, as a shuffle of pixels cuts it.
_LARGEST_PERIOD = 64


Values = dict[Any, np.ndarray]
Offset = Callable[[Values], np.ndarray]


@dataclass(frozen=True)
class _Loop:
    """A loop, or a part of one, and how far each buffer is stepped through, the written one first.

    Attributes
    ----------
    number : int
        Of the loop.
    period : int
        That the loop is to be cut by; its extent where it stays whole.
    extent : int
    steps : tuple of int
    """

    number: int
    period: int
    extent: int
    steps: tuple[int, ...]


def transpose(sch: Schedule, block: SBlockRV) -> bool:
    """Lay out a block that reads along another loop than it writes; False if it does not.

    The loop along which is read is the inner one of a tile: it takes fewer instructions to store
    the elements of a vector apart than to gather them.
    """
    loops = _loops(sch, block)
    if not loops:
        return False
    last = loops[-1]
    near = [loop for loop in loops[:-1] if 1 in loop.steps[1:] and loop.extent > 1]
    along = any(step == 1 for step in last.steps[1:])
    if along or not near or last.extent == 1 or last.steps[0] != 1:
        return False
    # What is read most.
    across = max(near, key=lambda loop: loop.extent)
    if across.extent < _SHORTEST:
        return False
    parts = _cut(sch, block, loops)
    outer = [part for part, loop in zip(parts[:-1], loops, strict=False) if loop is not across]
    rows, row = sch.split(parts[-1], [None, _side(last.extent)])
    side = _side(across.extent)
    columns, column = sch.split(parts[loops.index(across)], [None, side])
    sch.reorder(*outer, columns, rows, row, column)
    sch.unroll(row)
    if side & (side - 1) == 0:
        sch.vectorize(column)
    sch.parallel(sch.fuse(*outer, columns))
    return True


def _side(extent: int) -> int:
    """Return the side of a tile: a vector's, where that is not short."""
    power = power_of_two_divisor(extent, _TILE)
    return power if power >= _TILE // 2 else largest_divisor(extent, _TILE)


_PARTS = (
    *("a", "b", "value", "indices", "args", "condition", "true_value", "false_value"),
    *("body", "seq", "then_case", "else_case"),
)


def _nodes(node: Any) -> Iterator[Any]:
    """Yield a statement or an expression, and all that it is made of."""
    yield node
    for part in _PARTS:
        found = getattr(node, part, None)
        if isinstance(found, tvm_ffi.Array):
            for item in found:
                yield from _nodes(item)
        elif isinstance(found, tvm_ffi.Object):
            yield from _nodes(found)


def _loops(sch: Schedule, block: SBlockRV) -> list[_Loop] | None:
    """Return the loops with the steps of each access, in two parts where these change."""
    iters = list(sch.get(block).iter_vars)
    accesses = _accesses(sch, block)
    if accesses is None:
        return None
    result = []
    for number, iterator in enumerate(iters):
        extent = int(iterator.dom.extent)
        try:
            columns = [
                offset(
                    {v.var: np.arange(extent) if v is iterator else np.zeros(1, int) for v in iters}
                )
                for offset in accesses
            ]
        except _UnknownError:
            return None
        columns = [np.broadcast_to(column, extent) for column in columns]
        period = _period(columns, extent)
        if period is None:
            return None
        if period < extent:
            far = tuple(int(c[period] - c[0]) for c in columns)
            result.append(_Loop(number, period, extent // period, far))
        steps = tuple(int(c[1] - c[0]) if period > 1 else 0 for c in columns)
        result.append(_Loop(number, period, period, steps))
    return result


def _cut(sch: Schedule, block: SBlockRV, loops: list[_Loop]) -> list[LoopRV]:
    """Return the loops after they were cut in their parts."""
    found = sch.get_loops(block)
    parts: list[LoopRV] = []
    for number, loop in enumerate(found):
        own = [part for part in loops if part.number == number]
        parts += [loop] if len(own) == 1 else sch.split(loop, [part.extent for part in own])
    return parts


def _period(columns: list[np.ndarray], extent: int) -> int | None:
    """Return the smallest period that an axis is cut by for all steps to be even."""
    for period in (extent, *range(1, min(extent - 1, _LARGEST_PERIOD) + 1)):
        if extent % period == 0 and all(_even(c.reshape(-1, period)) for c in columns):
            return period
    return None


def _even(values: np.ndarray) -> bool:
    far = values[1, 0] - values[0, 0] if len(values) > 1 else 0
    near = values[0, 1] - values[0, 0] if values.shape[1] > 1 else 0
    rows, columns = np.indices(values.shape)
    return bool(np.array_equal(values, values[0, 0] + rows * far + columns * near))


class _UnknownError(Exception):
    """An index that depends on data."""


def _accesses(sch: Schedule, block: SBlockRV) -> list[Offset] | None:
    """Return the offsets of the store and of each load, as functions of the iterators' values."""
    nodes = list(_nodes(sch.get(block).body))
    stores = [node for node in nodes if isinstance(node, tirx.BufferStore)]
    loads = [node for node in nodes if isinstance(node, ir.TensorLoad)]
    if len(stores) != 1:
        return None
    return [_offset(access) for access in (stores[0], *loads)]


def _offset(access: Any) -> Offset:
    buffer = access.source if isinstance(access, ir.TensorLoad) else access.buffer
    shape = [int(n) for n in buffer.ty.shape]

    def offset(values: Values) -> np.ndarray:
        result = np.zeros(1, int)
        for extent, index in zip(shape, access.indices, strict=True):
            result = result * extent + _evaluated(index, values)
        return result

    return offset


_OPERATIONS = {
    tirx.Add: np.add,
    tirx.Sub: np.subtract,
    tirx.Mul: np.multiply,
    tirx.FloorDiv: np.floor_divide,
    tirx.FloorMod: np.mod,
    tirx.Min: np.minimum,
    tirx.Max: np.maximum,
}


def _evaluated(expr: Any, values: Values) -> np.ndarray:
    if isinstance(expr, int | tirx.IntImm):
        return np.full(1, int(expr))
    if isinstance(expr, tirx.Var):
        return values[expr]
    if isinstance(expr, tirx.Cast):
        return _evaluated(expr.value, values)
    operation = _OPERATIONS.get(type(expr))
    if operation is None:
        raise _UnknownError
    return operation(_evaluated(expr.a, values), _evaluated(expr.b, values))
