"""Vectors of numbers as the codes next to them, by the instructions that a machine has.

Instructions that pack integers to narrower ones saturate: numbers past the bounds of a type get its
least and its greatest code without a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tvm import tirx
from tvm.ir import Call, Expr
from tvm.tirx import Broadcast, Cast, IntImm, Max, Min

from tvmlcnn.targets import CODES, FLOAT32, Device
from tvmlcnn.vector_math.expressions import ROUNDER

from .vectors import filled, joined, lanes_of, pieces, scalar_of, shuffled

# By the codes: x86's instruction that packs int16 to them (Intel, "Software Developer's Manual").
_PACKS = {"uint8": "packuswb", "int8": "packsswb"}
# By the codes: Arm's instruction that narrows int16 to them ("Architecture Reference Manual").
_NARROWS = {"uint8": "sqxtun", "int8": "sqxtn"}


def number_of(value: Expr, codes: str) -> Expr | None:
    """Return the number of which a value is the code, None where it is none.

    Such a value is what `tvmlcnn.graph.code_operators.rounded` writes.
    """
    if codes not in CODES or not isinstance(value, Cast) or scalar_of(value) != codes:
        return None
    integer = value.value
    while isinstance(integer, Max | Min):
        integer = integer.a
    if not isinstance(integer, Cast) or scalar_of(integer) != "int32":
        return None
    call = integer.value
    if not isinstance(call, Call) or getattr(call.op, "name", "") != "tirx.nearbyint":
        return None
    return call.args[0] if scalar_of(call) == FLOAT32.name else None


def low_bits_of(value: Expr) -> tuple[Expr, tuple[int, int]] | None:
    """Return the number whose lowest 16 bits a value is the code in, and its bounds.

    None where it is none, as `tvmlcnn.graph.code_operators` writes it.
    """
    if not isinstance(value, Cast) or scalar_of(value) != "int8":
        return None
    integer, bounds = value.value, []
    while isinstance(integer, Max | Min):
        bound = integer.b.value if isinstance(integer.b, Broadcast) else integer.b
        if not isinstance(bound, IntImm):
            return None
        bounds.append(int(bound))
        integer = integer.a
    if not isinstance(integer, Cast) or scalar_of(integer) != "int16" or len(bounds) != 2:
        return None
    call = integer.value
    if not isinstance(call, Call) or getattr(call.op, "name", "") != "tirx.reinterpret":
        return None
    return call.args[0], (min(bounds), max(bounds))


def taken(numbers: Sequence[Expr], bounds: tuple[int, int]) -> Expr | None:
    """Return the codes in the lowest 16 bits of two or four vectors of four numbers, on Arm.

    UZP1 takes the lower halves of the words of two vectors.
    """
    if any(lanes_of(number) != 4 for number in numbers) or len(numbers) not in (2, 4):
        return None
    halves = [tirx.reinterpret("int16x8", number) for number in numbers]
    bytes_ = [
        _llvm(
            "int8x8",
            "llvm.aarch64.neon.sqxtn.v8i8",
            shuffled([low, high], range(0, 16, 2)),
        )
        for low, high in zip(halves[::2], halves[1::2], strict=True)
    ]
    whole = joined(bytes_)
    low, high = (filled(tirx.const(bound, "int8"), lanes_of(whole)) for bound in bounds)
    if bounds[0] > np.iinfo("int8").min:
        whole = Max(whole, low)
    return Min(whole, high) if bounds[1] < np.iinfo("int8").max else whole


def narrowed(numbers: Sequence[Expr], codes: str, device: Device) -> Expr:
    """Return the codes of several vectors of float32, one after the other.

    Parameters
    ----------
    numbers : sequence of Expr
        Of as many lanes each, or a scalar; less than 2**31.
    codes : str
        ``"uint8"`` or ``"int8"``.
    device : Device
    """
    lanes = lanes_of(numbers[0])
    whole = device.lanes
    if device.machine == "x86_64":
        width = next((n for n in (16, 8) if n <= whole and lanes % n == 0), 0)
        pack = _packed
    else:
        width = 4 if device.machine == "aarch64" and lanes % 4 == 0 else 0
        pack = _narrowed
    if not width:
        return joined([_clipped(number, codes) for number in numbers])
    parts = [part for number in numbers for part in pieces(number, width)]
    made = []
    while parts:
        count = next(n for n in (4, 2, 1) if n <= len(parts))
        made.append(pack(parts[:count], codes))
        del parts[:count]
    return joined(made)


def _packed(numbers: Sequence[Expr], codes: str) -> Expr:
    """Return the codes of one, two or four vectors, as x86 packs them.

    It packs each 128 bits of two vectors for themselves, so that a quarter, or half, of each
    vector comes after one of the other: words of four bytes are then put in order.
    """
    lanes = lanes_of(numbers[0])
    integers = [_llvm(f"int32x{lanes}", "llvm.lrint", number) for number in numbers]
    if len(integers) == 1:
        return _bounded(integers[0], codes).astype(f"{codes}x{lanes}")
    name = "llvm.x86.avx512.{}.512" if lanes == 16 else "llvm.x86.avx2.{}"
    words = [
        _llvm(f"int16x{2 * lanes}", name.format("packssdw"), *pair)
        for pair in zip(integers[::2], integers[1::2], strict=True)
    ]
    packed = _llvm(f"int8x{4 * lanes}", name.format(_PACKS[codes]), words[0], words[-1])
    quarters = range(lanes // 4)
    order = [quarter * 4 + vector for vector in range(len(integers)) for quarter in quarters]
    ordered = shuffled([tirx.reinterpret(f"int32x{lanes}", packed)], order)
    return tirx.reinterpret(f"{codes}x{len(order) * 4}", ordered)


def _narrowed(numbers: Sequence[Expr], codes: str) -> Expr:
    """Return the codes of one, two or four vectors of four, as Arm narrows them."""
    words = [
        _llvm(
            "int16x4",
            "llvm.aarch64.neon.sqxtn.v4i16",
            _llvm("int32x4", "llvm.aarch64.neon.fcvtns.v4i32.v4f32", number),
        )
        for number in numbers
    ]
    name = f"llvm.aarch64.neon.{_NARROWS[codes]}.v8i8"
    bytes_ = [
        _llvm("int8x8", name, joined([low, high]))
        for low, high in zip(words[::2], words[1::2] or words, strict=True)
    ]
    whole = joined(bytes_)
    if len(numbers) == 1:
        whole = shuffled([whole], range(4))
    return whole if codes == "int8" else tirx.reinterpret(f"{codes}x{lanes_of(whole)}", whole)


def _clipped(number: Expr, codes: str) -> Expr:
    """Return codes without an instruction that rounds, or one that saturates."""
    low, high = (_like(number, float(bound)) for bound in _bounds(codes))
    steps = tirx.min(tirx.max(number, low), high) + _like(number, ROUNDER)
    lanes = lanes_of(number)
    suffix = f"x{lanes}" if lanes > 1 else ""
    return tirx.reinterpret(f"int32{suffix}", steps).astype(f"{codes}{suffix}")


def _bounded(integers: Expr, codes: str) -> Expr:
    lanes = lanes_of(integers)
    low, high = (filled(tirx.const(bound, "int32"), lanes) for bound in _bounds(codes))
    return Max(Min(integers, high), low)


def _bounds(codes: str) -> tuple[int, int]:
    info = np.iinfo(codes)
    return int(info.min), int(info.max)


def _like(number: Expr, value: float) -> Expr:
    return filled(tirx.const(value, FLOAT32.name), lanes_of(number))


def _llvm(dtype: str, name: str, *operands: Expr) -> Expr:
    return tirx.call_llvm_pure_intrin(dtype, name, *operands)
