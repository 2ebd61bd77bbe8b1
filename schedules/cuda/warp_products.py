"""Products of a warp's tiles by tensor cores, the instruction ``mma``.

PTX ISA, "Matrix fragments for mma.m16n8k16": lane ``4 * g + t`` of a warp gives the elements of
rows g and g + 8, and of column g, at steps 2t, 2t + 1, 2t + 8 and 2t + 9; it holds the sums of
columns 2t and 2t + 1 of both rows. A sum is the same in any order of its steps, of rows and of
columns, as long as the factors agree. So a lane takes 16 bytes one after the other of its rows and
columns, of which several instructions multiply a share each; and of several columns' instructions
it has neighbouring sums. No lane needs what another one loads. Of bytes an
instruction has twice as many steps, four of them where float16 has two ("Matrix fragments for
mma.m16n8k32").
"""

from __future__ import annotations

import numpy as np
from tvm.ir import Expr
from tvm.script import tirx as T
from tvm.tirx import Buffer

from tvmlcnn.ops.tensor_product import MULTIPLY

from .lane_steps import QUARTERS, LaneSteps, lane

COLUMNS = ROWS = 8
"""Columns of an instruction, and half of its rows: lanes with different ones."""
LOAD_BYTES = 16
"""Of a lane, of each row and column of a segment."""


def rounded_to_tf32(weight: np.ndarray) -> np.ndarray:
    """Return float32 as TF32 has it: 13 bits fewer, the nearest, away from zero between two."""
    bits = weight.astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(1 << 12)) & ~np.uint32((1 << 13) - 1)).view(np.float32)


def of_warps(element: str, rows: int, tiles: int) -> LaneSteps:
    """Return how a lane multiplies with its warp; parameters are those of `segment_product`."""
    wide, multiply = 2 * tiles, MULTIPLY.format(element=element)

    def column(tile: Expr) -> Expr:
        """Return which column of a vector, after a lane's own first one, it gives to a tile.

        In a tile's instruction it is the column ``lane // 4``, and its first sum that of column
        ``lane % 4 * 2``.
        """
        number = lane() // QUARTERS
        return number // 2 * wide + tile * 2 + number % 2 - lane() % QUARTERS * wide

    def call(
        sums: Buffer, left: Buffer, right: Buffer, vector: Expr, tile: Expr, pair: Expr
    ) -> Expr:
        return T.call_extern(
            "void",
            multiply,
            T.address_of(sums[2 * pair, vector, 2 * tile]),
            T.address_of(sums[2 * pair + 1, vector, 2 * tile]),
            T.address_of(left[2 * pair, 0]),
            T.address_of(left[2 * pair + 1, 0]),
            T.address_of(right[0]),
        )

    return LaneSteps(1, tiles, column, rows // 2, call)
