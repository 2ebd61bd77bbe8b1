"""tanh and erf: odd functions, x times a quotient of polynomials in x^2.

Beyond the bounds the result is 1 in float32. The coefficients are of tools/minimax.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from tvm.ir import Expr

from .expressions import at_least, at_most, horner

_TANH = (
    (0.999999977, 0.133744764, 0.00348781247, 2.04812102e-05, 1.31775542e-08),
    (1.0, 0.467077901, 0.0258473939, 0.000327292252, 7.70405933e-07),
)
_ERF = (
    (1.12837914, 0.191550173, 0.0528754428, 0.00380815986, 0.00028468833, 2.02591688e-06),
    (1.0, 0.503089597, 0.11455958, 0.0150550857, 0.00117072657, 3.78319261e-05),
)
_TANH_BOUND, _ERF_BOUND = 9.02, 3.93


def tanh(x: Expr) -> Expr:
    """Return the hyperbolic tangent: 5e-7 relative, near 0 as well."""
    return _odd(x, _TANH_BOUND, _TANH)


def erf(x: Expr) -> Expr:
    """Return the error function: 5e-7 relative, near 0 as well."""
    return _odd(x, _ERF_BOUND, _ERF)


def _odd(x: Expr, bound: float, quotient: tuple[Sequence[float], Sequence[float]]) -> Expr:
    x = at_most(at_least(x, -bound), bound)
    above, below = (horner(x * x, coefficients) for coefficients in quotient)
    # The quotient may be one rounding step above 1.
    return at_most(at_least(x * above / below, -1), 1)
