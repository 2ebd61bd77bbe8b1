"""Values of which an index chooses one, as what a transform makes of others."""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr

Values = list[Expr]


def chosen(values: Values, index: Expr) -> Expr:
    """Return the value of an index that unrolling makes a constant."""
    result = values[-1]
    for number in reversed(range(len(values) - 1)):
        result = tirx.if_then_else(index == number, values[number], result)
    return result
