"""Products of matrices that are both computed, as attention's are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr

from .levels import in_levels, levels_of_products, within
from .tile import Tile


def batched_product(left: te.Tensor, right: te.Tensor, tile: Tile) -> te.Tensor:
    """Return the products of matrices, the right ones packed in the order in which they are read.

    Parameters
    ----------
    left, right : te.Tensor
        Shapes (..., M, K) and (..., K, N), whose outer axes are broadcast.
    tile : Tile
        It need not divide M and N: rows past the end repeat the last one, columns are zeros, and
        neither is stored.
    """
    *outer_left, rows, depth = (int(n) for n in left.shape)
    *outer_right, _, columns = (int(n) for n in right.shape)
    outer = np.broadcast_shapes(tuple(outer_left), tuple(outer_right))
    computed = -(-rows // tile.pixels) * tile.pixels
    wide = tile.channels
    blocks = -(-columns // wide)

    def pack(*place: tirx.Var) -> Expr:
        *matrix, block, k, lane = place
        column = block * wide + lane
        if blocks * wide == columns:
            return right(*matrix, k, column)
        value = right(*matrix, k, tirx.min(column, columns - 1))
        return tirx.if_then_else(column < columns, value, tirx.const(0.0, right.dtype))

    packed = te.compute((*outer_right, blocks, depth, wide), pack, name="pack")
    sizes = levels_of_products(depth)

    def term(lead: Sequence[Expr], k: Expr, last: Sequence[Expr]) -> Expr:
        (*matrix, row), (column,) = lead, last
        row = row if computed == rows else tirx.min(row, rows - 1)
        factor = left(*_own(matrix, outer_left), row, k)
        other = packed(*_own(matrix, outer_right), column // wide, k, column % wide)
        return within(factor * other, k, depth, sizes)

    lead = (*outer, computed)
    product = in_levels("product", "product", te.sum, term, lead, depth, [blocks * wide], sizes)
    return te.compute((*outer, rows, columns), lambda *place: product(*place), name="store")


def _own(matrix: Sequence[Expr], outer: Sequence[int]) -> list[Expr | int]:
    """Return which matrix of a broadcast factor belongs to one of the result."""
    own = matrix[len(matrix) - len(outer) :]
    return [0 if extent == 1 else index for index, extent in zip(own, outer, strict=True)]
