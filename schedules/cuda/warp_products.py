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

from tvm.ir import Expr
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from tvmlcnn.ops.tensor_product import LANE, MULTIPLY

from .threads import WARP

COLUMNS = ROWS = 8
"""Columns of an instruction, and half of its rows: lanes with different ones."""
QUARTERS = 4
"""Lanes that share a row or a column."""
LOAD_BYTES = 16
"""Of a lane, of each row and column of a segment."""


def lane() -> Expr:
    """Return which of its warp a thread is."""
    # That TVM knows its bounds lets it count in 32 bits.
    return T.call_pure_extern("int32", LANE) % WARP


def of_warps(
    element: str, weights: str, sums: str, rows: int, vectors: int, tiles: int, segment: int
) -> PrimFunc:
    """Return how a warp adds the products of a segment; as of `segment_product`."""
    wide, own = 2 * tiles, segment // QUARTERS
    multiply = MULTIPLY.format(element=element)

    def column(tile: Expr) -> Expr:
        """Return which column of a vector, after a lane's own first one, it gives to a tile.

        In a tile's instruction it is the column ``lane // 4``, and its first sum that of column
        ``lane % 4 * 2``.
        """
        number = lane() // QUARTERS
        return number // 2 * wide + tile * 2 + number % 2 - lane() % QUARTERS * wide

    @T.prim_func(s_tir=True)
    def made(a: T.handle, b: T.handle, c: T.handle) -> None:
        a0, a1 = T.int32(), T.int32()
        b0, b1 = T.int32(), T.int32()
        c0, c1 = T.int32(), T.int32()
        A = T.match_buffer(
            a, (rows, 1, segment), element, scope="shared", offset_factor=1, strides=[a0, a1, 1]
        )
        B = T.match_buffer(
            b,
            (vectors, wide, segment),
            weights,
            scope="shared",
            offset_factor=1,
            strides=[b0, b1, 1],
        )
        C = T.match_buffer(
            c,
            (rows, vectors, wide),
            sums,
            scope="local",
            offset_factor=1,
            strides=[c0, c1, 1],
        )
        with T.sblock("root"):
            T.reads(
                C[0:rows, 0:vectors, 0:wide],
                A[0:rows, 0:1, 0:segment],
                B[0:vectors, 0:wide, 0:segment],
            )
            T.writes(C[0:rows, 0:vectors, 0:wide])
            # TVM loses what is allocated in the outer block.
            with T.sblock("lane"):
                T.reads(
                    C[0:rows, 0:vectors, 0:wide],
                    A[0:rows, 0:1, 0:segment],
                    B[0:vectors, 0:wide, 0:segment],
                )
                T.writes(C[0:rows, 0:vectors, 0:wide])
                left = T.sblock_alloc_buffer((rows, own), element, scope="local")
                right = T.sblock_alloc_buffer((own,), weights, scope="local")
                for row in T.unroll(rows):
                    for step in T.vectorized(own):
                        left[row, step] = A[row, 0, lane() % QUARTERS * own + step]
                for vector in T.unroll(vectors):
                    for tile in T.unroll(tiles):
                        for step in T.vectorized(own):
                            right[step] = B[vector, column(tile), lane() % QUARTERS * own + step]
                        for pair in T.unroll(rows // 2):
                            T.evaluate(
                                T.call_extern(
                                    "void",
                                    multiply,
                                    T.address_of(C[2 * pair, vector, 2 * tile]),
                                    T.address_of(C[2 * pair + 1, vector, 2 * tile]),
                                    T.address_of(left[2 * pair, 0]),
                                    T.address_of(left[2 * pair + 1, 0]),
                                    T.address_of(right[0]),
                                )
                            )

    return made
