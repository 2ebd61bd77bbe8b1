"""The instruction that adds the products of two bfloat16 each to sums of float32."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from tvmlcnn import bfloat16
from tvmlcnn.targets import BFLOAT16

from .product_definitions import of_shared

_PAIR = 2
_WIDE = BFLOAT16.accumulator


def bfloat16_products(lanes: int) -> tuple[PrimFunc, PrimFunc]:
    """Return the definition and the implementation of the intrinsic, for `TensorIntrin`.

    A pixel's pair, which every lane has, is multiplied with a pair of weights a lane.
    """
    data: Any = T.Buffer((_PAIR,), "bfloat16", align=1, offset_factor=1)
    weights: Any = T.Buffer((lanes, _PAIR), "bfloat16", align=1, offset_factor=1)
    sums: Any = T.Buffer((lanes,), _WIDE, align=1, offset_factor=1)

    @T.prim_func(s_tir=True)
    def implementation(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:lanes], a[0:_PAIR], b[0:lanes, 0:_PAIR])
            T.writes(c[0:lanes])
            c[T.ramp(T.int32(0), 1, lanes)] = bfloat16.product(
                c.vload([0], dtype=f"{_WIDE}x{lanes}"),
                T.broadcast(T.reinterpret(a.vload([0], "bfloat16x2"), dtype="int32"), lanes),
                T.reinterpret(b.vload([0, 0], f"bfloat16x{_PAIR * lanes}"), dtype=f"int32x{lanes}"),
                lanes,
            )

    types = BFLOAT16.name, BFLOAT16.name, _WIDE
    return of_shared(types, lanes, _PAIR), implementation
