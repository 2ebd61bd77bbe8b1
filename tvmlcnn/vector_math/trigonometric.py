"""sin and cos: the nearest multiple of a quarter turn is subtracted in float64.

What is left is an argument of polynomials. The coefficients are of tools/minimax.py.
"""

from __future__ import annotations

import math

from tvm import tirx
from tvm.ir import Expr

from .expressions import at_least, at_most, cast, horner, like

# A quarter turn in two parts: the first has 33 bits, so that its products are exact up to 2^20.
_QUARTER_HIGH = float.fromhex("0x1.921fb544p+0")
_QUARTER_LOW = float.fromhex("0x1.0b4611a626331p-34")
_SIN_REST = (-0.166666542, 0.00833213149, -0.000195108375)
_COS_REST = (0.0416666457, -0.0013887306, 2.44312031e-05)
_FARTHEST = 2.0**30  # so that the number of quarter turns is an int32


def sin(x: Expr) -> Expr:
    """Return the sine: 2e-7 absolute up to |x| of 2^30; NaN beyond that."""
    return _wave(x, 0)


def cos(x: Expr) -> Expr:
    """Return the cosine: 2e-7 absolute up to |x| of 2^30; NaN beyond that."""
    return _wave(x, 1)


def _wave(x: Expr, quarters: int) -> Expr:
    """Return the sine so many quarter turns ahead."""
    near = at_most(at_least(x, -_FARTHEST), _FARTHEST)
    wide = cast(near, "float64")
    half = tirx.Select(wide < like(wide, 0), like(wide, -0.5), like(wide, 0.5))
    n = cast(wide * like(wide, 2 / math.pi) + half, "int32")
    steps = cast(n, "float64")
    r = cast(wide - steps * like(wide, _QUARTER_HIGH) - steps * like(wide, _QUARTER_LOW), "float32")
    z = r * r
    sine = r * z * horner(z, _SIN_REST) + r
    cosine = z * z * horner(z, _COS_REST) - z * like(z, 0.5) + like(z, 1)

    def has(bit: int) -> Expr:
        quarter = tirx.bitwise_and(n + like(n, quarters), like(n, bit))
        return quarter.equal(like(n, bit))

    value = tirx.Select(has(1), cosine, sine)
    value = tirx.Select(has(2), like(x, 0) - value, value)
    return tirx.Select(near.equal(x), value, like(x, math.nan))
