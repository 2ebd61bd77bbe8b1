"""Scans: what the elements of a line before each of its places come to."""

from __future__ import annotations

import math
from typing import Any

from tvm import te, tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from .rows import Result, rows, written

_ABREAST = 16  # lines whose elements are neighbours: a cache line of float32


def scan(data: te.Tensor, kind: str, dtype: str, gpu: bool) -> list[te.Tensor]:
    """Return the scan of the middle axis; for an extreme also where it is, the last one of several.

    Sums, products and logarithms of sums of exponentials are added up in float64, as torch does.

    Parameters
    ----------
    data : te.Tensor
        Shape (outer, n, inner).
    kind : str
        ``"sum"``, ``"prod"``, ``"logsumexp"``, ``"max"`` or ``"min"``.
    dtype : str
        Of the result.
    gpu : bool

    Returns
    -------
    list of te.Tensor
        Of the shape of the data, the places in int64.
    """
    outer, size, inner = shape = tuple(int(n) for n in data.shape)
    abreast = min(inner, _ABREAST)
    groups = -(-inner // abreast)
    extreme = kind in ("max", "min")
    wide = dtype if extreme or "float" not in dtype else "float64"

    def body(source: Any, result: Any, places: Any = None) -> None:
        with rows(outer * groups, gpu) as row:
            line, first = row // groups, row % groups * abreast
            total = T.buffer_proxy(T.alloc_buffer((abreast,), wide, scope="local"))
            place = T.buffer_proxy(T.alloc_buffer((abreast,), "int64", scope="local"))

            def each(step: Expr, starts: bool) -> None:
                with T.serial(0, abreast) as lane:
                    column = first + lane
                    with T.If(column < inner), T.Then():
                        value = tirx.Cast(wide, source[line, step, column])
                        if starts:
                            total[lane] = value
                        elif extreme:
                            found = _replaces(kind, value, total[lane], wide)
                            place[lane] = tirx.Select(found, tirx.Cast("int64", step), place[lane])
                            total[lane] = tirx.Select(found, value, total[lane])
                        else:
                            total[lane] = _combined(kind, total[lane], value)
                        if starts and extreme:
                            place[lane] = tirx.const(0, "int64")
                        result[line, step, column] = tirx.Cast(dtype, total[lane])
                        if extreme:
                            places[line, step, column] = place[lane]

            each(tirx.const(0, "int32"), True)
            with T.serial(1, size) as step:
                each(step, False)

    results = [Result(shape, dtype)] + [Result(shape, "int64")] * extreme
    return written([body], [data], results, "scan")


def _replaces(kind: str, value: Expr, found: Expr, dtype: str) -> Expr:
    """Tell whether a value is the new extreme: a later one of the same, or NaN, is."""
    better = value >= found if kind == "max" else value <= found
    if "float" not in dtype:
        return better
    # Each comparison with NaN is false, so that one found before stays.
    return tirx.any(better, tirx.isnan(value))


def _combined(kind: str, total: Expr, value: Expr) -> Expr:
    if kind == "sum":
        return total + value
    if kind == "prod":
        return total * value
    larger, smaller = tirx.max(total, value), tirx.min(total, value)
    # The difference of equal infinities is NaN.
    usual = larger + tirx.log(1 + tirx.exp(smaller - larger))
    usual = tirx.Select(smaller == larger, larger + math.log(2), usual)
    usual = tirx.Select(tirx.isnan(value), value, usual)
    return tirx.Select(tirx.isnan(total), total, usual)
