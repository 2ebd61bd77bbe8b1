"""The natural logarithms of x and of 1 + x.

``x = 2^e (1 + f)`` with ``1 + f`` from sqrt(1/2) to sqrt(2), by the bits of x, and a polynomial for
``log1p(f)``: near 1 the exponent is 0 and f exact, so that nothing cancels.

The coefficients are of tools/minimax.py.
"""

from __future__ import annotations

import math

from tvm import tirx
from tvm.ir import Expr

from .exponential import LOG2_HIGH, LOG2_LOW
from .expressions import bits_of, cast, float_of, horner, infinity, like

_LOG1P_REST = (
    *(0.333333317, -0.25000821, 0.200012269, -0.166233572),
    *(0.142017586, -0.13160184, 0.127615737, -0.076344882),
)
_ROOT_OF_HALF_BITS, _MANTISSA_BITS = 0x3F3504F3, 0x7FFFFF
_LOWEST_NORMAL = 2.0**-126
_LOWEST_F, _HIGHEST_F = -0.292893219, 0.414213562  # sqrt(1/2) - 1, sqrt(2) - 1


def _mantissa_and_exponent(x: Expr) -> tuple[Expr, Expr]:
    """Return f and e of a positive, normal x."""
    bits = bits_of(x)
    bits = bits - like(bits, _ROOT_OF_HALF_BITS)
    mantissa = tirx.bitwise_and(bits, like(bits, _MANTISSA_BITS))
    m = float_of(mantissa + like(bits, _ROOT_OF_HALF_BITS))
    return m - like(m, 1), cast(tirx.shift_right(bits, like(bits, 23)), "float32")


def _log1p_of_mantissa(f: Expr, e: Expr) -> Expr:
    """Return log1p(f) + e log(2)."""
    square = f * f
    rest = square * f * horner(f, _LOG1P_REST) + e * like(f, LOG2_LOW)
    return (rest - square * like(f, 0.5)) + f + e * like(f, LOG2_HIGH)


def _special(x: Expr, singular: float, result: Expr) -> Expr:
    """Return -infinity at the singular point, NaN below it, infinity and NaN of themselves."""
    below = tirx.Select(x < like(x, singular), like(x, math.nan), x)
    outside = tirx.Select(x > like(x, singular), result, below)
    at = tirx.Select(x.equal(like(x, singular)), like(x, -math.inf), outside)
    return tirx.Select(x.equal(infinity(x)), x, at)


def _parts(x: Expr) -> tuple[Expr, Expr]:
    """Return f and e of a positive x; where a core flushes denormal numbers, not of those."""
    tiny = x < like(x, _LOWEST_NORMAL)
    normal = tirx.Select(tiny, x * like(x, 2.0**23), x)
    f, e = _mantissa_and_exponent(normal)
    return f, e + tirx.Select(tiny, like(x, -23), like(x, 0))


def log(x: Expr) -> Expr:
    """Return the logarithm: 2 ulp; where a core flushes denormal numbers, that of 0 for them."""
    return _special(x, 0, _log1p_of_mantissa(*_parts(x)))


def log2_parts(x: Expr) -> tuple[Expr, Expr]:
    """Return log2(1 + f), to 1e-7 of itself, and e, of a positive number."""
    f, e = _parts(x)
    square = f * f
    rest = square * f * horner(f, _LOG1P_REST) - square * like(f, 0.5)
    return (rest + f) * like(f, 1 / math.log(2)), e


def log1p(x: Expr) -> Expr:
    """Return log(1 + x): 4e-7 relative, near 0 as well."""
    f, e = _mantissa_and_exponent(x + like(x, 1))
    # 1 + x loses the last bits of a small x, which is f itself.
    small = tirx.Max(like(x, _LOWEST_F), tirx.Min(like(x, _HIGHEST_F), x)).equal(x)
    f, e = tirx.Select(small, x, f), tirx.Select(small, like(x, 0), e)
    return _special(x, -1, _log1p_of_mantissa(f, e))
