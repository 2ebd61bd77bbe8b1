"""Products of a warp's tiles lane by lane: four bytes of a row and a column at a time (``dp4a``).

PTX ISA, "dp4a": from compute capability 6.1 on. A lane has the sums that it would have of tensor
cores, and loads all that they are of.
"""

from __future__ import annotations

from tvm.ir import Expr
from tvm.script import tirx as T
from tvm.tirx import Buffer

from tvmlcnn.ops.tensor_product import DOT

from .lane_steps import QUARTERS, LaneSteps


def of_lanes(element: str, rows: int, tiles: int) -> LaneSteps:
    """Return how a lane multiplies alone; parameters are those of `segment_product`.

    Four lanes have a row, and eight a column, but another share of it in each turn: so that what
    they load is in different banks.
    """
    dot = DOT.format(element=element)

    def call(
        sums: Buffer, left: Buffer, right: Buffer, vector: Expr, channel: Expr, row: Expr
    ) -> Expr:
        return T.call_extern(
            "void",
            dot,
            T.address_of(sums[row, vector, channel]),
            T.address_of(left[row, 0]),
            T.address_of(right[0]),
        )

    return LaneSteps(QUARTERS, 2 * tiles, lambda channel: channel, rows, call)
