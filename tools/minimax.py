"""Print the coefficients of `tvmlcnn.vector_math`: minimax polynomials and quotients of such.

Lawson's algorithm (1961): least squares whose weights grow where the error is large; quotients by
the linearization of Sanathanan and Koerner (1963) around it. Errors are relative to the function.

    python tools/minimax.py
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np

POINTS, STEPS = 1000, 300
Function = Callable[[mpmath.mpf], mpmath.mpf]


def fit(
    function: Function,
    interval: tuple[float, float],
    degrees: tuple[int, int],
    weight: Callable[[np.ndarray], np.ndarray],
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the largest weighted error, and coefficients of numerator and denominator, from x^0.

    The denominator's first one is 1.
    """
    low, high = interval
    x = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)
    y = np.array([float(function(mpmath.mpf(point))) for point in x])
    above, below = (np.vander(x, degree + 1, increasing=True) for degree in degrees)
    weights, quotient = np.ones(POINTS), np.ones(POINTS)
    best = (np.inf, x, x)
    for _ in range(STEPS):
        matrix = np.hstack([above, -y[:, None] * below[:, 1:]])
        scale = np.abs(matrix).max(0)
        rows = np.sqrt(weights) * weight(x) / np.abs(quotient)
        found = np.linalg.lstsq(matrix / scale * rows[:, None], y * rows, rcond=None)[0] / scale
        numerator, denominator = found[: degrees[0] + 1], np.r_[1, found[degrees[0] + 1 :]]
        quotient = below @ denominator
        error = np.abs(above @ numerator / quotient - y) * weight(x)
        if error.max() < best[0]:
            best = (float(error.max()), numerator, denominator)
        weights *= np.sqrt(error / error.max()) + 1e-9
        weights /= weights.sum()
    return best


def _odd(function: Function) -> Function:
    """Return f(sqrt z) / sqrt z, of an odd function."""
    return lambda z: function(mpmath.sqrt(z)) / mpmath.sqrt(z)


def _relative(function: Function) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: 1 / np.array([float(function(mpmath.mpf(point))) for point in x])


def _expm1_rest(r: mpmath.mpf) -> mpmath.mpf:
    return (mpmath.expm1(r) - r) / r**2


def _log1p_rest(f: mpmath.mpf) -> mpmath.mpf:
    return (mpmath.log1p(f) - f + f**2 / 2) / f**3


def main() -> None:
    """Print each."""
    mpmath.mp.dps = 40
    half = float(mpmath.log(2) / 2)
    mantissas = (0.5**0.5 - 1, 2**0.5 - 1)
    # A hundredth more than an eighth of a turn: n is rounded in float32.
    eighth = (1e-4, (0.7854 * 1.01) ** 2)
    erf, tanh = _odd(mpmath.erf), _odd(mpmath.tanh)
    fits: dict[str, tuple[float, np.ndarray, np.ndarray]] = {
        "(expm1(r) - r) / r^2": fit(
            _expm1_rest, (-half * 1.01, half * 1.01), (4, 0), lambda r: r**2 + 1e-6
        ),
        "the same for float64": fit(
            _expm1_rest, (-half * 1.01, half * 1.01), (5, 0), lambda r: r**2 + 1e-6
        ),
        "exp(-r)": fit(lambda r: mpmath.exp(-r), (-half * 1.01, half * 1.01), (5, 0), np.exp),
        "(log1p(f) - f + f^2 / 2) / f^3": fit(
            _log1p_rest, mantissas, (7, 0), lambda f: np.abs(f**3 / np.log1p(f))
        ),
        "the same for float64 ": fit(
            _log1p_rest, mantissas, (11, 0), lambda f: np.abs(f**3 / np.log1p(f))
        ),
        "erf(sqrt z) / sqrt z": fit(erf, (1e-9, 3.95**2), (5, 5), _relative(erf)),
        "tanh(sqrt z) / sqrt z": fit(tanh, (1e-9, 9.1**2), (4, 4), _relative(tanh)),
        "(sin(sqrt z) / sqrt z - 1) / z": fit(
            lambda z: (_odd(mpmath.sin)(z) - 1) / z, eighth, (2, 0), lambda z: z
        ),
        "(cos(sqrt z) - 1 + z / 2) / z^2": fit(
            lambda z: (mpmath.cos(mpmath.sqrt(z)) - 1 + z / 2) / z**2, eighth, (2, 0), np.square
        ),
    }
    for name, (error, numerator, denominator) in fits.items():
        print(f"{name}: error {error:.1e}")
        for coefficients in (numerator, denominator)[: 1 + (len(denominator) > 1)]:
            print(
                "   ", ", ".join(f"{c:.17g}" if "64" in name else f"{c:.9g}" for c in coefficients)
            )


if __name__ == "__main__":
    main()
