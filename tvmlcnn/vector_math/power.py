"""x^y.

``|x| = 2^e m`` gives ``|x|^y = 2^(y e + y log2(m))``. The exponent's whole part makes the bits, and
the rest goes through a polynomial; y is taken in two parts whose products with e are exact, so that
nothing of the rest is lost beside a large whole part (Cody and Waite 1980, chapter 7).
"""

from __future__ import annotations

import math

from tvm import tirx
from tvm.ir import Expr

from .exponential import power_of_two
from .expressions import at_least, at_most, bits_of, cast, float_of, infinity, like
from .logarithm import log2_parts

_MAGNITUDE_BITS = 0x7FFFFFFF
_FIRST_BITS = -0x1000  # the sign, the exponent and 12 bits of 24; an exponent e has 8
_WHOLE = 2.0**30  # from 2^24 on all numbers are even


def power(x: Expr, y: Expr) -> Expr:
    """Return x^y: 2e-7 + 1e-7 |y| relative; results under 1.7e-38 are 0."""
    size = _magnitude(x)
    log2_of_mantissa, exponent = log2_parts(size)
    first = float_of(tirx.bitwise_and(bits_of(y), like(bits_of(y), _FIRST_BITS)))
    rest = (y - first) * exponent + y * log2_of_mantissa
    result = power_of_two(first * exponent, rest)
    grows = y > like(y, 0)
    one, none, endless = like(x, 1), like(x, 0), infinity(x)
    result = tirx.Select(size.equal(none), tirx.Select(grows, none, endless), result)
    result = tirx.Select(size.equal(endless), tirx.Select(grows, endless, none), result)
    above = tirx.Select(grows, endless, none)
    below = tirx.Select(grows, none, endless)
    limit = tirx.Select(size > one, above, below)
    result = tirx.Select(_magnitude(y).equal(endless), limit, result)
    result = _signed(x, y, tirx.Select(size <= endless, result, size))  # of NaN
    result = tirx.Select(_magnitude(y) <= endless, result, y)
    # 1 and -1 to an infinite power, and all numbers, NaN too, to the power 0.
    result = tirx.Select(tirx.all(size.equal(one), _magnitude(y).equal(endless)), one, result)
    return tirx.Select(tirx.any(y.equal(like(y, 0)), x.equal(one)), one, result)


def _magnitude(x: Expr) -> Expr:
    return float_of(tirx.bitwise_and(bits_of(x), like(bits_of(x), _MAGNITUDE_BITS)))


def _signed(x: Expr, y: Expr, result: Expr) -> Expr:
    """Return what is the power of a number of either sign, given that of its magnitude."""
    bounded = at_most(at_least(y, -_WHOLE), _WHOLE)
    whole = cast(bounded, "int32")
    sign = tirx.bitwise_and(
        tirx.shift_left(whole, like(whole, 31)),
        tirx.bitwise_and(bits_of(x), like(bits_of(x), -0x80000000)),
    )
    signed = float_of(tirx.bitwise_xor(bits_of(result), sign))
    negative = tirx.all(x < like(x, 0), x > like(x, -math.inf))
    other = tirx.Select(negative, like(x, math.nan), result)
    return tirx.Select(cast(whole, "float32").equal(bounded), signed, other)
