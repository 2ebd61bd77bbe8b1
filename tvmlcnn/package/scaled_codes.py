"""Vectors of integers times a factor as the codes next to them, by Arm's instructions.

SQRDMULH multiplies integers of 32 bits by a fraction and rounds (Arm, "Architecture Reference
Manual"): it takes the place of converting them to numbers, scaling these and rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
from tvm import tirx
from tvm.ir import Call, Expr
from tvm.tirx import Add, Broadcast, Cast, IntImm, Max, Min, Sub

from .vectors import filled, joined, lanes_of, pieces, scalar_of, shuffled

_LANES = 4


@dataclass(frozen=True)
class Scaled:
    """What codes, int8, are made of: ``clip(round(integers * factor / 2**31) + zero, *bounds)``."""

    integers: Expr
    factor: int
    zero: int
    bounds: tuple[int, int]


def scaled_of(value: Expr) -> Scaled | None:
    """Return what a value is made of, None if it is no such code.

    It is what `tvmlcnn.graph.code_operators` writes for ``tvmlcnn.scaled_codes``, but that TVM may
    have changed the order of the bounds, the zero and the cast.
    """
    if scalar_of(value) != "int8":
        return None
    integer, zero = value, 0
    low, high = (int(bound) for bound in (np.iinfo("int8").min, np.iinfo("int8").max))
    while isinstance(integer, Cast | Max | Min | Add | Sub):
        if isinstance(integer, Cast):
            integer = integer.value
            continue
        number = _constant(integer.b)
        if number is None:
            return None
        if isinstance(integer, Max):
            low = max(low, number + zero)
        elif isinstance(integer, Min):
            high = min(high, number + zero)
        else:
            zero += number if isinstance(integer, Add) else -number
        integer = integer.a
    if not isinstance(integer, Call) or getattr(integer.op, "name", "") != "tirx.q_multiply_shift":
        return None
    factor = _constant(integer.args[1])
    return None if factor is None else Scaled(integer.args[0], factor, zero, (low, high))


def scaled(values: Sequence[Scaled]) -> Expr | None:
    """Return the codes of several vectors, one after the other; None where they are no vectors."""
    first = values[0]
    if any(replace(value, integers=first.integers) != first for value in values):
        return None
    if any(lanes_of(value.integers) % _LANES for value in values):
        return None
    parts = [part for value in values for part in pieces(value.integers, _LANES)]
    factor = filled(tirx.const(first.factor, "int32"), _LANES)
    steps = [_llvm(f"int32x{_LANES}", "sqrdmulh.v4i32", part, factor) for part in parts]
    halves = [tirx.reinterpret(f"int16x{2 * _LANES}", each) for each in steps]
    zero = filled(tirx.const(first.zero, "int16"), 2 * _LANES)
    # The steps fit 16 bits: UZP1 takes the lower halves of the words of two vectors.
    words = [
        shuffled([left, right], range(0, 4 * _LANES, 2)) + zero
        for left, right in zip_longest(halves[::2], halves[1::2], fillvalue=halves[-1])
    ]
    codes = joined([_llvm(f"int8x{2 * _LANES}", "sqxtn.v8i8", each) for each in words])
    if len(parts) % 2:
        codes = shuffled([codes], range(len(parts) * _LANES))
    low, high = (filled(tirx.const(bound, "int8"), lanes_of(codes)) for bound in first.bounds)
    if first.bounds[0] > np.iinfo("int8").min:
        codes = Max(codes, low)
    return Min(codes, high) if first.bounds[1] < np.iinfo("int8").max else codes


def _constant(value: Expr) -> int | None:
    scalar = value.value if isinstance(value, Broadcast) else value
    return int(scalar) if isinstance(scalar, IntImm) else None


def _llvm(dtype: str, name: str, *operands: Expr) -> Expr:
    return tirx.call_llvm_pure_intrin(dtype, f"llvm.aarch64.neon.{name}", *operands)
