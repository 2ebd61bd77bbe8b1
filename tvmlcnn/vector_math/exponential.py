"""e^x, e^x - 1 and 1 + e^-x.

``x = n log(2) + r`` with ``|r| <= log(2) / 2`` (Cody and Waite 1980), a polynomial for
``expm1(r)``, and ``2^n`` as bits. The nearest integer n comes of adding 1.5 * 2^23, whose last bit
is worth one: rounding instructions are missing on 32-bit ARM, where they are a call of a library.

The coefficients are of tools/minimax.py.
"""

from __future__ import annotations

import math

from tvm import tirx
from tvm.ir import Expr

from .expressions import (
    ROUNDER,
    ROUNDER_BITS,
    at_least,
    at_most,
    bits_of,
    cast,
    float_of,
    horner,
    like,
)

# log(2) in two parts: the first has 9 bits, so that its products with n are exact.
LOG2_HIGH, LOG2_LOW = 0.693359375, -2.12194440054690583e-4
_LOG2_E = 1.4426950408889634
_ROUNDER_OF_POWERS = ROUNDER + 127  # whose last bits are the exponent's of 2^n
_ROUNDER_OF_HALVES = ROUNDER + 126  # whose last bits are the exponent's of 2^(n - 1)
_EXPM1_REST = (0.50000001, 0.166665129, 0.0416661873, 0.00836959817, 0.00139517189)
_EXP_OF_NEGATIVE = (1.00000008, -0.999999673, 0.499988504, -0.166676115, 0.04192035, -0.00829693885)
# exp of more is infinity; of less it is below 2^-126, or for expm1 nothing beside the 1.
_HIGHEST, _LOWEST, _LOWEST_EXPM1 = 88.8, -87.4, -20.0


def _reduced(x: Expr) -> tuple[Expr, Expr]:
    """Return expm1(r) and 2^(n - 1), for n from -126 to 128.

    2^(n - 1) is zero for the lowest n, and 2^n would be infinity for the highest one.
    """
    rounded = x * like(x, _LOG2_E) + like(x, _ROUNDER_OF_HALVES)
    steps = rounded - like(x, _ROUNDER_OF_HALVES)
    r = x - steps * like(x, LOG2_HIGH) - steps * like(x, LOG2_LOW)
    return r * r * horner(r, _EXPM1_REST) + r, _of_exponent(bits_of(rounded))


def _of_exponent(bits: Expr) -> Expr:
    """Return the number whose exponent is in the last bits; those before are shifted out."""
    return float_of(tirx.shift_left(bits, like(bits, 23)))


def power_of_two(whole: Expr, rest: Expr) -> Expr:
    """Return 2^(whole + rest): 2 ulp for exact parts; results under 1.7e-38 are 0.

    ``rest`` keeps its bits however large ``whole`` is, which may be any number of few bits.
    """
    steps_of = at_most(at_least(whole + rest, _LOWEST * _LOG2_E), _HIGHEST * _LOG2_E)
    rounded = bits_of(steps_of + like(whole, ROUNDER))
    n = rounded - like(rounded, ROUNDER_BITS)
    # Where the sum is out of range so is this, and n has already made infinity or zero.
    left = at_most(at_least((whole - cast(n, "float32")) + rest, -0.5), 0.5)
    r = left * like(left, math.log(2))
    p = r * r * horner(r, _EXPM1_REST) + r
    return (p * like(p, 2) + like(p, 2)) * _of_exponent(n + like(n, 126))


def exp(x: Expr) -> Expr:
    """Return e^x: 2 ulp; results under 1.7e-38 are 0."""
    p, half = _reduced(at_most(at_least(x, _LOWEST), _HIGHEST))
    return (p * like(p, 2) + like(p, 2)) * half


def expm1(x: Expr) -> Expr:
    """Return e^x - 1: 2 ulp, near 0 as well; of a denormal number it may be 0."""
    p, half = _reduced(at_most(at_least(x, _LOWEST_EXPM1), _HIGHEST))
    return (p * half + (half - like(p, 0.5))) * like(p, 2)


def logistic_denominator(x: Expr) -> Expr:
    """Return 1 + e^-x: 4e-7, or infinity where that is over 1.7e38.

    The sum hides what a single constant leaves out of n log(2), and so does the exponential's sign.
    """
    x = at_most(at_least(x, -_HIGHEST), -_LOWEST)
    rounded = like(x, _ROUNDER_OF_POWERS) - x * like(x, _LOG2_E)
    r = x + (rounded - like(x, _ROUNDER_OF_POWERS)) * like(x, math.log(2))
    return horner(r, _EXP_OF_NEGATIVE) * _of_exponent(bits_of(rounded)) + like(x, 1)
