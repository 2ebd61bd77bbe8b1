"""Where values belong in sorted rows, by bisection."""

from __future__ import annotations

from typing import Any

from tvm import te, tirx
from tvm.script.ir_builder import tirx as T

from .rows import Result, rows, variable, written


def search(
    bounds: te.Tensor, values: te.Tensor, right: bool, dtype: str, gpu: bool
) -> list[te.Tensor]:
    """Return how many bounds of the row are below each value, or, with ``right``, not above it.

    Parameters
    ----------
    bounds : te.Tensor
        Shape (rows, m), ascending; one row serves all rows of values.
    values : te.Tensor
        Shape (rows, n), of the same element type. NaN is above all bounds.
    right : bool
    dtype : str
        Of the result.
    gpu : bool

    Returns
    -------
    list of te.Tensor
        One, of the shape of the values.
    """
    (of, size), (number, count) = ([int(n) for n in t.shape] for t in (bounds, values))

    def body(sorted_: Any, sought: Any, result: Any) -> None:
        with rows(number * count, gpu) as element:
            row, column = element // count, element % count
            value = variable(sought[row, column], str(values.dtype))
            low, high = variable(0, "int32"), variable(size, "int32")
            with T.While(low[0] < high[0]):
                middle = variable((low[0] + high[0]) // 2, "int32")
                bound = sorted_[row if of > 1 else 0, middle[0]]
                above = variable(bound > value[0] if right else bound >= value[0], "bool")
                high[0] = tirx.Select(above[0], middle[0], high[0])
                low[0] = tirx.Select(above[0], low[0], middle[0] + 1)
            result[row, column] = tirx.Cast(dtype, low[0])

    return written([body], [bounds, values], [Result((number, count), dtype)], "search")
