"""How far the loops of a block step through memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm_ffi
from tvm import ir, tirx
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

# The inner period of an axis that is cut in two, as a shuffle of pixels cuts it.
_LARGEST_PERIOD = 64

Values = dict[Any, np.ndarray]
Offset = Callable[[Values], np.ndarray]


@dataclass(frozen=True)
class Loop:
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


def read_across(loops: list[Loop] | None) -> Loop | None:
    """Return the loop along which a block reads memory while it writes along its last one.

    None where it reads along its last loop too, or along none.
    """
    if not loops:
        return None
    last = loops[-1]
    near = [loop for loop in loops[:-1] if 1 in loop.steps[1:] and loop.extent > 1]
    along = any(step == 1 for step in last.steps[1:])
    if along or not near or last.extent == 1 or last.steps[0] != 1:
        return None
    # What is read most.
    return max(near, key=lambda loop: loop.extent)


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


def loops_of(sch: Schedule, block: SBlockRV) -> list[Loop] | None:
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
            result.append(Loop(number, period, extent // period, far))
        steps = tuple(int(c[1] - c[0]) if period > 1 else 0 for c in columns)
        result.append(Loop(number, period, period, steps))
    return result


def cut(sch: Schedule, block: SBlockRV, loops: list[Loop]) -> list[LoopRV]:
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
