"""Products of codes that are added in pairs of 16 bits before they are added to sums of 32.

That is what ARM does without instructions for dot products: two products of bytes fit 16 bits, but
of weights of -128, more products of smaller weights do too, and one instruction adds neighbours of
those to a vector of sums (Arm, "Architecture Reference Manual", SMULL, SMLAL and SADALP; VMULL,
VMLAL and VPADAL of 32 bits).

No instruction multiplies bytes by a lane of a vector. To bring each pair of a pixel's codes to all
lanes takes an instruction a pair; that each lane has other codes of the pixel, and weights packed
accordingly, takes one that rotates all of them for every round of products, as in the kernels
"c2s4" of XNNPACK.
"""

from __future__ import annotations

from functools import reduce
from operator import add as add_up
from typing import Any

from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from tvmlcnn.ops import place_of_pairs
from tvmlcnn.package.vectors import joined, pieces, shuffled

# By the mnemonic: LLVM's name of what adds neighbours, by how many sums there are, and whether it
# adds them to sums: where not, LLVM makes one instruction of it and an addition.
_NEIGHBOURS = {
    "smlal": ("llvm.aarch64.neon.saddlp.v{lanes}i32.v{pairs}i16", False),
    "vmlal": ("llvm.arm.neon.vpadals.v{lanes}i32.v{pairs}i16", True),
}


def paired_products(
    mnemonic: str, codes: int, run: int, rows: int, vectors: int, lanes: int
) -> tuple[PrimFunc, PrimFunc]:
    """Return what adds products of so many codes to each sum of a tile, and how.

    Weights are of shape (codes / 2 / run, vectors, run, lanes, 2), as `tvmlcnn.ops.pack` packs
    them.

    Parameters
    ----------
    mnemonic : str
        ``"smlal"`` or ``"vmlal"``.
    codes : int
        Of a pixel: 4, 8 or 16.
    run : int
        Products that are added in 16 bits, as `runs.instruction_of` has them.
    rows, vectors, lanes : int
        Of the tile.
    """
    rounds, wide = codes // 4, vectors * lanes
    packed = codes // 2 // run, vectors, run, lanes, 2
    apart: Any = T.int32()
    away: Any = T.int32()
    data: Any = T.Buffer((rows, codes), "int8", strides=[apart, 1], align=1, offset_factor=1)
    weights: Any = T.Buffer(packed, "int8", align=1, offset_factor=1)
    sums: Any = T.Buffer((rows, wide), "int32", strides=[away, 1], align=1, offset_factor=1)
    read = tuple(slice(0, extent) for extent in packed)
    name, adds = _NEIGHBOURS[mnemonic]
    number = T.llvm_lookup_intrinsic_id(name.format(lanes=lanes, pairs=2 * lanes))

    def row(m: Any) -> Any:
        # TVM leaves out an axis of one.
        return T.axis.spatial(rows, m) if rows > 1 else 0

    @T.prim_func(s_tir=True)
    def definition(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:rows, 0:wide], a[0:rows, 0:codes], b[read])
            T.writes(c[0:rows, 0:wide])
            for m in T.unroll(rows):
                for n, k in T.grid(wide, codes):
                    with T.sblock("update"):
                        vm = T.meta_var(row(m))
                        vn, vk = T.axis.remap("SR", [n, k])
                        c[vm, vn] = c[vm, vn] + T.cast(a[vm, vk], "int32") * T.cast(
                            b[place_of_pairs(vn, vk, codes, lanes, run)], "int32"
                        )

    def values_of(a: Any, turn: int, row: int) -> Any:
        """Return the codes that lanes multiply in a turn of the first half, and of the second."""
        given = a.vload([row, 0], f"int8x{codes}")
        if codes == 4 and adds:
            # This machine shuffles four bytes one by one, but turns the halves of words.
            words = T.broadcast(T.reinterpret(given, dtype="int32"), lanes // 2)
            pairs = T.reinterpret(words, dtype=f"int16x{lanes}")
            halves = (words, shuffled([pairs], (lane ^ 1 for lane in range(lanes))))
            return joined([T.reinterpret(half, dtype=f"int8x{2 * lanes}") for half in halves])
        first = (range(2 * turn, 2 * turn + 2 * lanes) for turn in (turn, turn + rounds))
        # A shuffle gives no more lanes than it takes.
        several = [given] * (4 * lanes // codes)
        return shuffled(several, (place % codes for half in first for place in half))

    def products(a: Any, b: Any, several: int, row: int, vector: int) -> Any:
        wide = f"int16x{4 * lanes}"
        halves = []
        for turn in range(run // 2):
            own = b.vload([several, vector, 2 * turn, 0, 0], f"int8x{4 * lanes}").astype(wide)
            both = values_of(a, several * run // 2 + turn, row).astype(wide) * own
            halves += pieces(both, 2 * lanes)
        return reduce(add_up, halves)

    def add(a: Any, b: Any, c: Any) -> None:
        # What a weight and a rotation are for comes together: few registers hold them.
        for several in range(packed[0]):
            for vector in range(vectors):
                for row in range(rows):
                    added = products(a, b, several, row, vector)
                    before = c.vload([row, vector * lanes], f"int32x{lanes}")
                    given = [before, added] if adds else [added]
                    more = T.call_llvm_pure_intrin(number, *given, dtype=f"int32x{lanes}")
                    place = [row, T.ramp(vector * lanes, 1, lanes)]
                    T.buffer_store(c, more if adds else before + more, place)

    @T.prim_func(s_tir=True)
    def implementation(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:rows, 0:wide], a[0:rows, 0:codes], b[read])
            T.writes(c[0:rows, 0:wide])
            add(a, b, c)

    return definition, implementation
