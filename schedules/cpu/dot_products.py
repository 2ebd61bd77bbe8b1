"""Instructions that add products of several codes to each sum of a vector.

A step of the reduction multiplies the codes of a pixel, which every lane has, or codes of a lane's
own, with as many weights a lane. TVM's own intrinsics for these instructions take operands of types
that LLVM no longer does.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from tvm.s_tir import Schedule, TensorIntrin
from tvm.s_tir.schedule import SBlockRV
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from tvmlcnn.ops import Tile
from tvmlcnn.targets import BFLOAT16, INT8, Core

from ..initial_sums import reads_of_products
from .bfloat16_products import bfloat16_products
from .paired_products import paired_products
from .product_definitions import of_own, of_shared

# LLVM's names, by the bits or lanes of a vector.
_PMADDWD = {128: "llvm.x86.sse2.pmadd.wd", 256: "llvm.x86.avx2.pmadd.wd"}
_PMADDWD |= {512: "llvm.x86.avx512.pmaddw.d.512"}
_PMADDUBSW = {128: "llvm.x86.ssse3.pmadd.ub.sw.128", 256: "llvm.x86.avx2.pmadd.ub.sw"}
_PMADDUBSW |= {512: "llvm.x86.avx512.pmaddubs.w.512"}


def _vpdpbusd(before: Any, values: Any, weights: Any, lanes: int) -> Any:
    """u8 x s8, without saturation (Intel, "Software Developer's Manual", VPDPBUSD)."""
    name = f"llvm.x86.avx512.vpdpbusd.{32 * lanes}"
    return _call(f"int32x{lanes}", name, before, _as(values, f"int8x{4 * lanes}"), weights)


def _sdot(before: Any, values: Any, weights: Any, lanes: int) -> Any:
    """s8 x s8 (Arm, "Architecture Reference Manual", SDOT)."""
    name = f"llvm.aarch64.neon.sdot.v{lanes}i32.v{4 * lanes}i8"
    return _call(f"int32x{lanes}", name, before, weights, _as(values, f"int8x{4 * lanes}"))


def _vpmaddwd(before: Any, values: Any, weights: Any, lanes: int) -> Any:
    """s16 x s16 of widened codes and weights (Intel, "Software Developer's Manual", PMADDWD)."""
    wide = weights.astype(f"int16x{2 * lanes}")
    return before + _call(f"int32x{lanes}", _PMADDWD[32 * lanes], values, wide)


def _vpmaddubsw(before: Any, values: Any, weights: Any, lanes: int) -> Any:
    """u8 x s8, pairs of which fit 16 bits (Intel, "Software Developer's Manual", PMADDUBSW)."""
    codes, bits = _as(values, f"int8x{4 * lanes}"), 32 * lanes
    pairs = _call(f"int16x{2 * lanes}", _PMADDUBSW[bits], codes, weights)
    ones = T.broadcast(T.int16(1), 2 * lanes)
    return before + _call(f"int32x{lanes}", _PMADDWD[bits], pairs, ones)


# By the mnemonic: what adds products of values and weights to sums.
_INSTRUCTIONS = {"vpdpbusd": _vpdpbusd, "sdot": _sdot, "vpmaddwd": _vpmaddwd}
_INSTRUCTIONS |= {"vpmaddubsw": _vpmaddubsw}


def _call(dtype: str, name: str, *operands: Any) -> Any:
    number = T.llvm_lookup_intrinsic_id(name)
    return T.call_llvm_pure_intrin(number, *operands, dtype=dtype)


def _as(values: Any, dtype: str) -> Any:
    return T.reinterpret(values, dtype=dtype)


def tensorize(
    sch: Schedule, update: SBlockRV, init: SBlockRV, lanes: int, core: Core, shared: bool = True
) -> None:
    """Have an instruction of the core add the products of codes, a vector of sums at a time.

    Parameters
    ----------
    sch : Schedule
    update : SBlockRV
        Adds the products; its innermost loops are those over the lanes and the codes.
    init : SBlockRV
        Begins the sums; its innermost loop is that over the lanes.
    lanes : int
        Of a vector of sums: those of the core's vectors, or of a part of one.
    core : Core
    shared : bool
        Whether all lanes multiply the same codes, or each has its own.
    """
    sch.vectorize(sch.get_loops(init)[-1])
    reads_of_products(sch, update)
    step = core.arithmetic.multiply_add
    values = step.widened or core.element.name
    name = _registered(step.name, values, lanes, step.products, shared)
    sch.tensorize(sch.get_loops(update)[-2], name)


def tensorize_pairs(
    sch: Schedule, update: SBlockRV, init: SBlockRV, tile: Tile, codes: int, run: int, core: Core
) -> None:
    """Have products of codes added in pairs, a tile of sums at a time.

    Parameters
    ----------
    sch : Schedule
    update : SBlockRV
        Adds the products; its innermost loops are those over the tile's pixels, vectors and lanes,
        and over the codes.
    init : SBlockRV
        Begins the sums; its innermost loop is that over the lanes.
    tile : Tile
    codes : int
        Of a pixel, that are multiplied at a time.
    run : int
        Products that are added in 16 bits.
    core : Core
    """
    sch.vectorize(sch.get_loops(init)[-1])
    reads_of_products(sch, update)
    mnemonic = core.arithmetic.multiply_add.name
    shape = tile.pixels, tile.vectors, tile.lanes
    *_, pixels, vectors, channel, _ = sch.get_loops(update)
    sch.fuse(vectors, channel)
    sch.tensorize(pixels, _registered_pairs(mnemonic, codes, run, *shape))


@cache
def _registered_pairs(mnemonic: str, codes: int, run: int, *shape: int) -> str:
    """Register the intrinsic of a tile of rows, vectors and lanes; return its name."""
    name = ".".join(map(str, ("tvmlcnn", mnemonic, codes, run, *shape)))
    TensorIntrin.register(name, *paired_products(mnemonic, codes, run, *shape), override=True)
    return name


@cache
def _registered(mnemonic: str, codes: str, lanes: int, products: int, shared: bool) -> str:
    """Register the intrinsic of an instruction; return its name."""
    name = f"tvmlcnn.{mnemonic}.{lanes}.{'shared' if shared else 'own'}"
    if codes == BFLOAT16.name:
        TensorIntrin.register(name, *bfloat16_products(lanes), override=True)
        return name
    define = of_shared if shared else of_own
    implement = _implementation(mnemonic, codes, lanes, products, shared)
    types = codes, INT8.name, INT8.accumulator
    TensorIntrin.register(name, define(types, lanes, products), implement, override=True)
    return name


def _implementation(mnemonic: str, codes: str, lanes: int, products: int, shared: bool) -> PrimFunc:
    count = lanes * products
    shape = (products,) if shared else (lanes, products)
    data: Any = T.Buffer(shape, codes, align=1, offset_factor=1)
    weights: Any = T.Buffer((lanes, products), "int8", align=1, offset_factor=1)
    sums: Any = T.Buffer((lanes,), "int32", align=1, offset_factor=1)
    reads = [slice(0, size) for size in shape]

    def sum_of(before: Any, a: Any, own: Any) -> Any:
        values = a.vload([0] * len(shape), f"{codes}x{products if shared else count}")
        if shared:
            # Codes of a pixel are as many as make a word of 32 bits.
            values = _as(T.broadcast(_as(values, "int32"), lanes), f"{codes}x{count}")
        return _INSTRUCTIONS[mnemonic](before, values, own, lanes)

    @T.prim_func(s_tir=True)
    def implementation(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:lanes], a[tuple(reads)], b[0:lanes, 0:products])
            T.writes(c[0:lanes])
            c[T.ramp(T.int32(0), 1, lanes)] = sum_of(
                c.vload([0], dtype=f"int32x{lanes}"), a, b.vload([0, 0], dtype=f"int8x{count}")
            )

    return implementation
