"""What vector functions are written in: TensorIR that becomes no call of a library.

A comparison with NaN is false, and TVM's ``max(a, b)`` is ``a > b ? a : b``: with the bound first,
as here, NaN passes through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import tirx
from tvm.ir import Expr

ROUNDER, ROUNDER_BITS = 1.5 * 2**23, 0x4B400000
"""Added to it, numbers of float32 have steps of one, and the integer in their lowest bits (H. S.
Warren, "Hacker's Delight", 2nd edition, section 17-1); and its own bits (IEEE 754)."""


def let(value: Expr, body: Callable[[Expr], Expr]) -> Expr:
    """Return what a function makes of a value, which is computed once.

    For arguments alone: TVM puts what is bound in the place of its variable where it simplifies, so
    that the time to compile would grow with the power of the bindings. LLVM finds what is common.
    """
    if isinstance(value, tirx.Var | tirx.FloatImm):
        return body(value)
    variable = tirx.Var("t", value.ty.dtype)
    return tirx.Let(variable, value, body(variable))


def type_like(value: Expr, element: str) -> str:
    """Return the type of as many elements as a value has."""
    _, lanes, count = str(value.ty.dtype).partition("x")
    return element + lanes + count


def like(value: Expr, number: float) -> Expr:
    """Return a constant of the type of a value, in each lane."""
    return tirx.const(number, str(value.ty.dtype))


def at_least(value: Expr, bound: float) -> Expr:
    """Return the larger one of a value and a bound; NaN of NaN."""
    return tirx.Max(like(value, bound), value)


def at_most(value: Expr, bound: float) -> Expr:
    """Return the smaller one of a value and a bound; NaN of NaN."""
    return tirx.Min(like(value, bound), value)


def horner(x: Expr, coefficients: Sequence[float]) -> Expr:
    """Return a polynomial, of coefficients from x^0 on. LLVM makes multiply-adds of it."""
    result = like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result = result * x + like(x, coefficient)
    return result


def bits_of(x: Expr) -> Expr:
    """Return the bits of float32 as int32."""
    return tirx.reinterpret(type_like(x, "int32"), x)


def float_of(bits: Expr) -> Expr:
    """Return the float32 of bits in int32."""
    return tirx.reinterpret(type_like(bits, "float32"), bits)


def cast(x: Expr, element: str) -> Expr:
    """Convert each lane."""
    return tirx.Cast(type_like(x, element), x)


def infinity(value: Expr) -> Expr:
    """Return infinity of the type of a value."""
    return like(value, math.inf)
