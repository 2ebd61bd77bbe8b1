"""Writing, or combining, elements at places along an axis."""

from __future__ import annotations

import math
from typing import Any

from tvm import te, tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from .extremes import identity
from .rows import Result, rows, variable, written


def scatter(
    data: te.Tensor,
    index: te.Tensor,
    updates: te.Tensor,
    axis: int,
    how: str,
    include_self: bool,
    gpu: bool,
) -> list[te.Tensor]:
    """Return the data with updates at the places of an index; then what was scratch.

    The lines along the axis are rows; of one place the last update counts. What the index says
    outside of the axis is left out.

    Parameters
    ----------
    data : te.Tensor
    index, updates : te.Tensor
        Of one shape, whose sizes are no larger than the data's on any other axis; or one index,
        of a single axis, for all lines.
    axis : int
    how : str
        ``"update"``, ``"add"``, ``"mul"``, ``"max"``, ``"min"`` or ``"mean"``.
    include_self : bool
        Whether what was at a place is combined with its updates.
    gpu : bool

    Returns
    -------
    list of te.Tensor
        The result; for a mean also how many values each element is one of.
    """
    shape, places = (tuple(int(n) for n in t.shape) for t in (data, updates))
    shared = len(index.shape) < len(shape)
    size, dtype, mean = shape[axis], str(data.dtype), how == "mean"
    start = tirx.const(1 if include_self else 0, "int32")
    fresh = not include_self and how != "update"

    def copy(source: Any, at: Any, new: Any, result: Any, count: Any = None) -> None:
        inner = shape[-1]
        with rows(math.prod(shape[:-1]), gpu) as row, T.serial(0, inner) as i:
            where = (*_unravelled(row, shape[:-1]), i)
            result[where] = source[where]
            if mean:
                count[where] = start

    def combine(source: Any, at: Any, new: Any, result: Any, count: Any = None) -> None:
        lines = places[:axis] + places[axis + 1 :]
        with rows(math.prod(lines), gpu) as row:
            line = _unravelled(row, lines)

            def each(do: Any) -> None:
                with T.serial(0, places[axis]) as i:
                    read = (*line[:axis], i, *line[axis:])
                    place = variable(at[i] if shared else at[read], "int64")
                    inside = tirx.all(place[0] >= 0, place[0] < size)
                    with T.If(inside), T.Then():
                        do(read, (*line[:axis], tirx.Cast("int32", place[0]), *line[axis:]))

            def begin(read: Any, where: Any) -> None:
                result[where] = _identity(how, dtype)

            def put(read: Any, where: Any) -> None:
                result[where] = _combined(how, result[where], new[read])
                if mean:
                    count[where] = count[where] + 1

            def divide(read: Any, where: Any) -> None:
                many = tirx.Cast(dtype, count[where])
                whole = tirx.floordiv if "float" not in dtype else tirx.div
                result[where] = whole(result[where], many)
                count[where] = tirx.const(1, "int32")  # several updates of a place come here

            if fresh:
                each(begin)
            each(put)
            if mean:
                each(divide)

    results = [Result(shape, dtype)] + [Result(shape, "int32")] * mean
    return written([copy, combine], [data, index, updates], results, "scatter")


def _unravelled(number: Expr, shape: tuple[int, ...]) -> tuple[Expr, ...]:
    """Return the place, by axis, of an element that is counted through a shape."""
    result: list[Expr] = []
    for size in reversed(shape):
        result.append(number % size)
        number = number // size
    return tuple(reversed(result))


def _identity(how: str, dtype: str) -> Expr:
    if how in ("max", "min"):
        return identity(how, dtype)
    return tirx.const(1 if how == "mul" else 0, dtype)


def _combined(how: str, old: Expr, new: Expr) -> Expr:
    if how in ("add", "mean"):
        return old + new
    if how == "mul":
        return old * new
    if how in ("max", "min"):
        better = new > old if how == "max" else new < old
        if "float" in str(new.ty.dtype):
            better = tirx.any(better, tirx.isnan(new))  # NaN stays
        return tirx.Select(better, new, old)
    return new
