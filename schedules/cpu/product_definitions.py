"""What instructions compute that add several products to each sum of a vector."""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T
from tvm.tirx import PrimFunc

Types = tuple[str, str, str]
"""Of values, weights and sums."""


def of_shared(types: Types, lanes: int, products: int) -> PrimFunc:
    """Define products of values that all lanes have."""
    values, weight, wide = types
    data: Any = T.Buffer((products,), values, align=1, offset_factor=1)
    weights: Any = T.Buffer((lanes, products), weight, align=1, offset_factor=1)
    sums: Any = T.Buffer((lanes,), wide, align=1, offset_factor=1)

    @T.prim_func(s_tir=True)
    def definition(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:lanes], a[0:products], b[0:lanes, 0:products])
            T.writes(c[0:lanes])
            for i in T.serial(0, lanes):
                for k in T.serial(0, products):
                    with T.sblock("update"):
                        vi, vk = T.axis.remap("SR", [i, k])
                        c[vi] = c[vi] + T.cast(a[vk], wide) * T.cast(b[vi, vk], wide)

    return definition


def of_own(types: Types, lanes: int, products: int) -> PrimFunc:
    """Define products of values that each lane has for itself."""
    values, weight, wide = types
    data: Any = T.Buffer((lanes, products), values, align=1, offset_factor=1)
    weights: Any = T.Buffer((lanes, products), weight, align=1, offset_factor=1)
    sums: Any = T.Buffer((lanes,), wide, align=1, offset_factor=1)

    @T.prim_func(s_tir=True)
    def definition(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:lanes], a[0:lanes, 0:products], b[0:lanes, 0:products])
            T.writes(c[0:lanes])
            for i in T.serial(0, lanes):
                for k in T.serial(0, products):
                    with T.sblock("update"):
                        vi, vk = T.axis.remap("SR", [i, k])
                        c[vi] = c[vi] + T.cast(a[vi, vk], wide) * T.cast(b[vi, vk], wide)

    return definition
