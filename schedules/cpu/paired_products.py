"""Products of codes that are added in pairs of 16 bits before they are added to sums of 32.

That is what ARM does without instructions for dot products: two products of bytes fit 16 bits, as
long as no weight is -128, and one instruction adds neighbours of those to a vector of sums (Arm,
"Architecture Reference Manual", SMULL, SMLAL and SADALP; VMULL, VMLAL and VPADAL of 32 bits).
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T
from tvm.tirx import PrimFunc

# By the mnemonic: LLVM's name of what adds neighbours, by how many sums there are.
_NEIGHBOURS = {
    "smlal": "llvm.aarch64.neon.saddlp.v{lanes}i32.v{pairs}i16",
    "vmlal": "llvm.arm.neon.vpaddls.v{lanes}i32.v{pairs}i16",
}


def paired_products(mnemonic: str, lanes: int) -> tuple[PrimFunc, PrimFunc]:
    """Return what adds four products to each of a vector of sums, and how.

    Weights are of shape (2, lanes, 2), as `tvmlcnn.ops.pack` packs pairs.
    """
    data: Any = T.Buffer((4,), "int8", align=1, offset_factor=1)
    weights: Any = T.Buffer((2, lanes, 2), "int8", align=1, offset_factor=1)
    sums: Any = T.Buffer((lanes,), "int32", align=1, offset_factor=1)
    name = _NEIGHBOURS[mnemonic].format(lanes=lanes, pairs=2 * lanes)
    number = T.llvm_lookup_intrinsic_id(name)

    @T.prim_func(s_tir=True)
    def definition(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:lanes], a[0:4], b[0:2, 0:lanes, 0:2])
            T.writes(c[0:lanes])
            for i in T.serial(0, lanes):
                for k in T.serial(0, 4):
                    with T.sblock("update"):
                        vi, vk = T.axis.remap("SR", [i, k])
                        c[vi] = c[vi] + T.cast(a[vk], "int32") * T.cast(
                            b[vk // 2, vi, vk % 2], "int32"
                        )

    def products(a: Any, b: Any, pair: int) -> Any:
        codes = T.reinterpret(a.vload([2 * pair], "int8x2"), dtype="int16")
        every = T.reinterpret(T.broadcast(codes, lanes), dtype=f"int8x{2 * lanes}")
        own = b.vload([pair, 0, 0], dtype=f"int8x{2 * lanes}")
        wide = f"int16x{2 * lanes}"
        return every.astype(wide) * own.astype(wide)

    def sum_of(before: Any, a: Any, b: Any) -> Any:
        pairs = products(a, b, 0) + products(a, b, 1)
        return before + T.call_llvm_pure_intrin(number, pairs, dtype=f"int32x{lanes}")

    @T.prim_func(s_tir=True)
    def implementation(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:lanes], a[0:4], b[0:2, 0:lanes, 0:2])
            T.writes(c[0:lanes])
            c[T.ramp(T.int32(0), 1, lanes)] = sum_of(c.vload([0], dtype=f"int32x{lanes}"), a, b)

    return definition, implementation
