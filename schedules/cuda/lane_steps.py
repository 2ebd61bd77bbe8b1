"""What a lane multiplies of a segment of the reduction, whichever instruction it does it by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvm.ir import Expr
from tvm.script import tirx as T
from tvm.tirx import Buffer

from tvmlcnn.ops.tensor_product import LANE

from .threads import WARP

QUARTERS = 4
"""Lanes that share a row or a column."""


@dataclass(frozen=True)
class LaneSteps:
    """How a lane goes through its share of a segment.

    Attributes
    ----------
    turns : int
        In so many it loads its rows, and after them a column at a time.
    columns : int
        That it loads of a vector in each turn.
    column : callable
        Of a column's number: which one of the vector it is.
    calls : int
        Calls that multiply a column with all of the rows.
    call : callable
        Of the sums, the rows that were loaded, the column that was, the vector, the column's number
        and the number of the call: what is called.
    """

    turns: int
    columns: int
    column: Callable[[Expr], Expr]
    calls: int
    call: Callable[[Buffer, Buffer, Buffer, Expr, Expr, Expr], Expr]


def lane() -> Expr:
    """Return which of its warp a thread is."""
    # That TVM knows its bounds lets it count in 32 bits.
    return T.call_pure_extern("int32", LANE) % WARP
