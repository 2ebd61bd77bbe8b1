"""Products of a warp's tiles lane by lane: four bytes of a row and a column at a time (``dp4a``).

PTX ISA, "dp4a": from compute capability 6.1 on. A lane has the sums that it would have of tensor
cores, and loads all that they are of.
"""

from __future__ import annotations

from tvm.ir import Expr
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from tvmlcnn.ops.tensor_product import DOT

from .warp_products import QUARTERS, lane


def of_lanes(
    element: str, weights: str, sums: str, rows: int, vectors: int, tiles: int, segment: int
) -> PrimFunc:
    """Return how each lane adds the products of a segment; as of `segment_product`."""
    wide, own = 2 * tiles, segment // QUARTERS
    dot = DOT.format(element=element)

    def share(turn: Expr) -> Expr:
        """Return the first step of what a lane loads of its rows and columns in one of its turns.

        Four lanes have a row, and eight a column, but another share of it each: so that what they
        load is in different banks.
        """
        return (lane() + turn) % QUARTERS * own

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
            with T.sblock("lane"):
                T.reads(
                    C[0:rows, 0:vectors, 0:wide],
                    A[0:rows, 0:1, 0:segment],
                    B[0:vectors, 0:wide, 0:segment],
                )
                T.writes(C[0:rows, 0:vectors, 0:wide])
                left = T.sblock_alloc_buffer((rows, own), element, scope="local")
                right = T.sblock_alloc_buffer((own,), weights, scope="local")
                for turn in T.unroll(QUARTERS):
                    for row in T.unroll(rows):
                        for step in T.vectorized(own):
                            left[row, step] = A[row, 0, share(turn) + step]
                    for vector in T.unroll(vectors):
                        for channel in T.unroll(wide):
                            for step in T.vectorized(own):
                                right[step] = B[vector, channel, share(turn) + step]
                            for row in T.unroll(rows):
                                T.evaluate(
                                    T.call_extern(
                                        "void",
                                        dot,
                                        T.address_of(C[row, vector, channel]),
                                        T.address_of(left[row, 0]),
                                        T.address_of(right[0]),
                                    )
                                )

    return made
