"""What a lane adds to its sums of a segment of the reduction, and the code that stands for it."""

from __future__ import annotations

from functools import cache

from tvm.ir import Expr
from tvm.s_tir import TensorIntrin
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from tvmlcnn.targets import ElementType

from .lane_products import of_lanes
from .lane_steps import QUARTERS, LaneSteps, lane
from .warp_products import of_warps


@cache
def segment_product(
    element: ElementType,
    weights: str,
    sums: str,
    rows: int,
    vectors: int,
    tiles: int,
    segment: int,
    by_warps: bool,
) -> str:
    """Return the name of the intrinsic that adds the products of a segment to a lane's sums.

    Parameters
    ----------
    element : ElementType
        Of the data.
    weights, sums : str
        Types of the other factors and of the sums.
    rows : int
        Of a lane, an even number.
    vectors : int
        Of columns, of a lane.
    tiles : int
        Instructions side by side whose columns a vector is made of: it has twice as many of each
        lane.
    segment : int
        Steps: `LOAD_BYTES` of each of four lanes.
    by_warps : bool
        Whether by tensor cores.
    """
    kind = "warp" if by_warps else "lane"
    name = f"tvmlcnn.{kind}_product_{element.name}_{sums}_{rows}_{vectors}_{tiles}_{segment}"
    if TensorIntrin.get(name, allow_missing=True) is None:
        types, size = (element.stored, weights, sums), (rows, vectors, 2 * tiles, segment)
        described = _description(*types, *size)
        steps = (of_warps if by_warps else of_lanes)(element.name, rows, tiles)
        made = _implementation(*types, *size, steps)
        TensorIntrin.register(name, described, made)
    return name


def _description(
    element: str, weights: str, sums: str, rows: int, vectors: int, wide: int, segment: int
) -> PrimFunc:
    # TVM's blocks have no axes of one step.
    if vectors == 1:
        return _description_of_one(element, weights, sums, rows, wide, segment)

    @T.prim_func(s_tir=True)
    def described(a: T.handle, b: T.handle, c: T.handle) -> None:
        A = T.match_buffer(a, (rows, 1, segment), element, scope="shared", offset_factor=1)
        B = T.match_buffer(b, (vectors, wide, segment), weights, scope="shared", offset_factor=1)
        C = T.match_buffer(c, (rows, vectors, wide), sums, scope="local", offset_factor=1)
        with T.sblock("root"):
            T.reads(
                C[0:rows, 0:vectors, 0:wide],
                A[0:rows, 0:1, 0:segment],
                B[0:vectors, 0:wide, 0:segment],
            )
            T.writes(C[0:rows, 0:vectors, 0:wide])
            for row, vector, channel, step in T.grid(rows, vectors, wide, segment):
                with T.sblock("update"):
                    i, v, n, k = T.axis.remap("SSSR", [row, vector, channel, step])
                    C[i, v, n] = C[i, v, n] + T.cast(A[i, 0, k], sums) * T.cast(B[v, n, k], sums)

    return described


def _description_of_one(
    element: str, weights: str, sums: str, rows: int, wide: int, segment: int
) -> PrimFunc:
    @T.prim_func(s_tir=True)
    def described(a: T.handle, b: T.handle, c: T.handle) -> None:
        A = T.match_buffer(a, (rows, 1, segment), element, scope="shared", offset_factor=1)
        B = T.match_buffer(b, (1, wide, segment), weights, scope="shared", offset_factor=1)
        C = T.match_buffer(c, (rows, 1, wide), sums, scope="local", offset_factor=1)
        with T.sblock("root"):
            T.reads(C[0:rows, 0, 0:wide], A[0:rows, 0, 0:segment], B[0, 0:wide, 0:segment])
            T.writes(C[0:rows, 0, 0:wide])
            for row, channel, step in T.grid(rows, wide, segment):
                with T.sblock("update"):
                    i, n, k = T.axis.remap("SSR", [row, channel, step])
                    C[i, 0, n] = C[i, 0, n] + T.cast(A[i, 0, k], sums) * T.cast(B[0, n, k], sums)

    return described


def _implementation(
    element: str,
    weights: str,
    sums: str,
    rows: int,
    vectors: int,
    wide: int,
    segment: int,
    steps: LaneSteps,
) -> PrimFunc:
    own = segment // QUARTERS

    def share(turn: Expr) -> Expr:
        """Return the first step of what a lane loads of its rows and columns in a turn."""
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
                for turn in T.unroll(steps.turns):
                    for row in T.unroll(rows):
                        for step in T.vectorized(own):
                            left[row, step] = A[row, 0, share(turn) + step]
                    for vector in T.unroll(vectors):
                        for number in T.unroll(steps.columns):
                            for step in T.vectorized(own):
                                right[step] = B[vector, steps.column(number), share(turn) + step]
                            for each in T.unroll(steps.calls):
                                T.evaluate(steps.call(C, left, right, vector, number, each))

    return made
