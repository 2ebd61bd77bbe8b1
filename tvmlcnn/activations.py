"""Activations as expressions of an element, of TVM's intrinsics.

Each is written so that nothing cancels, and with a single exponential where one will do: what
`tvmlcnn.vector_math` makes of the intrinsics decides the error, which is that of float32 and
relative where nothing else is said.
"""

from __future__ import annotations

import math

from tvm import tirx
from tvm.ir import Expr

from tvmlcnn.vector_math import EXPM1, LOGISTIC_DENOMINATOR, POWER, RATIO

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934


def _like(x: Expr, number: float) -> Expr:
    return tirx.const(number, x.ty.dtype)


def _negative(x: Expr) -> Expr:
    return _like(x, 0) - x


def _ratio(above: Expr, below: Expr) -> Expr:
    """Return a quotient by what is never less than one."""
    return tirx.call_intrin(str(above.ty.dtype), RATIO, above, below)


def _by_logistic(above: Expr, x: Expr) -> Expr:
    """Return a numerator times 1 / (1 + e^-x)."""
    return _ratio(above, tirx.call_intrin(str(x.ty.dtype), LOGISTIC_DENOMINATOR, x))


def expm1(x: Expr) -> Expr:
    """Return e^x - 1."""
    return tirx.call_intrin(x.ty.dtype, EXPM1, x)


def sigmoid(x: Expr) -> Expr:
    """Return 1 / (1 + e^-x): 5e-7."""
    return _by_logistic(_like(x, 1), x)


def silu(x: Expr) -> Expr:
    """Return x / (1 + e^-x) (Elfwing and others 2017): 5e-7."""
    return _by_logistic(x, x)


def gelu(x: Expr) -> Expr:
    """Return x (1 + erf(x / sqrt(2))) / 2 (Hendrycks and Gimpel 2016): absolute, 3e-7 |x|.

    The sum cancels for negative x, as it does in torch.
    """
    return x * (tirx.erf(x * _like(x, math.sqrt(0.5))) * _like(x, 0.5) + _like(x, 0.5))


def gelu_tanh(x: Expr) -> Expr:
    """Return GELU by its tanh form (Hendrycks and Gimpel 2016, section 2): absolute, 3e-7 |x|.

    ``(1 + tanh(u)) / 2`` is a sigmoid of 2u.
    """
    scale = 2 * math.sqrt(2 / math.pi)
    inner = x * (_like(x, scale) + _like(x, 0.044715 * scale) * x * x)
    return _by_logistic(x, inner)


def mish(x: Expr) -> Expr:
    """Return x tanh(log(1 + e^x)) (Misra 2019), as x w / (w + 2) with w = e^x (e^x + 2): 6e-7.

    Zero where e^x is under 1.7e-38.
    """
    # From 20 on the factor is 1 in float32, and w no infinity.
    e = tirx.exp(tirx.Min(_like(x, 20), x))
    w = e * (e + _like(x, 2))
    return x * _ratio(w, w + _like(x, 2))


def leaky_relu(x: Expr, slope: float) -> Expr:
    """Return x, or x times the slope where x < 0."""
    return tirx.Select(x > _like(x, 0), x, x * _like(x, slope))


def elu(x: Expr, alpha: float) -> Expr:
    """Return x, or alpha (e^x - 1) where x <= 0 (Clevert and others 2015): 4e-7."""
    return tirx.Select(x > _like(x, 0), x, expm1(x) * _like(x, alpha))


def celu(x: Expr, alpha: float) -> Expr:
    """Return x, or alpha (e^(x / alpha) - 1) where x <= 0 (Barron 2017): absolute, 3e-7 alpha."""
    return tirx.Select(x > _like(x, 0), x, expm1(x * _like(x, 1 / alpha)) * _like(x, alpha))


def selu(x: Expr) -> Expr:
    """Return SELU (Klambauer and others 2017, equation 2): 5e-7."""
    negative = expm1(x) * _like(x, _SELU_ALPHA * _SELU_SCALE)
    return tirx.Select(x > _like(x, 0), x * _like(x, _SELU_SCALE), negative)


def softplus(x: Expr, beta: float, threshold: float) -> Expr:
    """Return log(1 + e^(beta x)) / beta, or x where beta x is over the threshold.

    Error 5e-7 + 1e-7 |beta x|, the latter what rounding makes of a small result.
    """
    z = x * _like(x, beta)
    soft = tirx.Max(_like(x, 0), z) + tirx.log1p(tirx.exp(tirx.Min(z, _negative(z))))
    return tirx.Select(z > _like(x, threshold), x, soft * _like(x, 1 / beta))


def log_sigmoid(x: Expr) -> Expr:
    """Return log(1 / (1 + e^-x)): 5e-7."""
    return tirx.Min(_like(x, 0), x) - tirx.log1p(tirx.exp(tirx.Min(x, _negative(x))))


def power(x: Expr, exponent: Expr) -> Expr:
    """Return x to a power: products and roots where the exponent is a small constant."""
    number = float(exponent.value) if isinstance(exponent, tirx.FloatImm) else None
    root = tirx.sqrt
    exact = {
        0.5: root,
        1.0: lambda x: x,
        2.0: lambda x: x * x,
        3.0: lambda x: x * x * x,
        4.0: lambda x: (x * x) * (x * x),
        -0.5: lambda x: _like(x, 1) / root(x),
        -1.0: lambda x: _like(x, 1) / x,
    }
    if number in exact:
        return exact[number](x)
    return tirx.call_intrin(str(x.ty.dtype), POWER, x, exponent)
