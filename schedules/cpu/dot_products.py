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

from tvmlcnn.targets import Core

_VPDPBUSD = "llvm.x86.avx512.vpdpbusd.{bits}"
_SDOT = "llvm.aarch64.neon.sdot.v{lanes}i32.v{bytes}i8"

# By the mnemonic: LLVM's name, and whether the codes come before the weights.
# vpdpbusd: u8 x s8, without saturation (Intel, "Software Developer's Manual", VPDPBUSD).
# sdot: s8 x s8 (Arm, "Architecture Reference Manual", SDOT).
_INSTRUCTIONS = {"vpdpbusd": (_VPDPBUSD, True), "sdot": (_SDOT, False)}


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
    step = core.arithmetic.multiply_add
    name = _registered(step.name, core.element.name, lanes, step.products, shared)
    sch.tensorize(sch.get_loops(update)[-2], name)


@cache
def _registered(mnemonic: str, codes: str, lanes: int, products: int, shared: bool) -> str:
    """Register the intrinsic of an instruction; return its name."""
    name = f"tvmlcnn.{mnemonic}.{lanes}.{'shared' if shared else 'own'}"
    define = _of_shared if shared else _of_own
    implement = _implementation(mnemonic, codes, lanes, products, shared)
    TensorIntrin.register(name, define(codes, lanes, products), implement, override=True)
    return name


def _of_shared(codes: str, lanes: int, products: int) -> PrimFunc:
    data: Any = T.Buffer((products,), codes, align=1, offset_factor=1)
    weights: Any = T.Buffer((lanes, products), "int8", align=1, offset_factor=1)
    sums: Any = T.Buffer((lanes,), "int32", align=1, offset_factor=1)

    @T.prim_func(s_tir=True)
    def definition(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:lanes], a[0:products], b[0:lanes, 0:products])
            T.writes(c[0:lanes])
            for i in T.serial(0, lanes):
                for k in T.serial(0, products):
                    with T.sblock("update"):
                        vi, vk = T.axis.remap("SR", [i, k])
                        c[vi] = c[vi] + T.cast(a[vk], "int32") * T.cast(b[vi, vk], "int32")

    return definition


def _of_own(codes: str, lanes: int, products: int) -> PrimFunc:
    data: Any = T.Buffer((lanes, products), codes, align=1, offset_factor=1)
    weights: Any = T.Buffer((lanes, products), "int8", align=1, offset_factor=1)
    sums: Any = T.Buffer((lanes,), "int32", align=1, offset_factor=1)

    @T.prim_func(s_tir=True)
    def definition(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:lanes], a[0:lanes, 0:products], b[0:lanes, 0:products])
            T.writes(c[0:lanes])
            for i in T.serial(0, lanes):
                for k in T.serial(0, products):
                    with T.sblock("update"):
                        vi, vk = T.axis.remap("SR", [i, k])
                        c[vi] = c[vi] + T.cast(a[vi, vk], "int32") * T.cast(b[vi, vk], "int32")

    return definition


def _implementation(mnemonic: str, codes: str, lanes: int, products: int, shared: bool) -> PrimFunc:
    count = lanes * products
    shape = (products,) if shared else (lanes, products)
    data: Any = T.Buffer(shape, codes, align=1, offset_factor=1)
    weights: Any = T.Buffer((lanes, products), "int8", align=1, offset_factor=1)
    sums: Any = T.Buffer((lanes,), "int32", align=1, offset_factor=1)
    pattern, codes_first = _INSTRUCTIONS[mnemonic]
    number = T.llvm_lookup_intrinsic_id(pattern.format(bits=8 * count, lanes=lanes, bytes=count))
    reads = [slice(0, size) for size in shape]

    def sum_of(before: Any, a: Any, own: Any) -> Any:
        values = a.vload([0] * len(shape), f"{codes}x{products if shared else count}")
        if shared:
            values = T.broadcast(T.reinterpret(values, dtype="int32"), lanes)
        values = T.reinterpret(values, dtype=f"int8x{count}")
        operands = (values, own) if codes_first else (own, values)
        return T.call_llvm_pure_intrin(number, before, *operands, dtype=f"int32x{lanes}")

    @T.prim_func(s_tir=True)
    def implementation(a: data, b: weights, c: sums) -> None:
        with T.sblock("root"):
            T.reads(c[0:lanes], a[tuple(reads)], b[0:lanes, 0:products])
            T.writes(c[0:lanes])
            c[T.ramp(T.int32(0), 1, lanes)] = sum_of(
                c.vload([0], dtype=f"int32x{lanes}"), a, b.vload([0, 0], dtype=f"int8x{count}")
            )

    return implementation
