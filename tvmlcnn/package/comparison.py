"""When an output is the one that torch computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_OFFSET = 0.1
"""Share of an output's largest value that counts as its range, where it varies by less: with the
tolerance of float32 that allows 1e-5 of the value, a hundred times what one rounding is."""
_NOTHING = 1e-30
"""Below this float32 runs out of digits; an output that has nothing above it counts as zeros."""
_RANGE_OF_ZEROS = 0.01
_WORSE_THAN_TORCH = 10.0
"""How much further off than torch's own error a result may be."""
_USUAL = 0.9
"""Share of torch's errors that says how large they are: the rest may be jumps, as of sorting."""


def error(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the error of each element, in the unit that an element type's tolerance has.

    For floating point that is |actual - expected| over the output's range: the difference of its
    largest and smallest finite value, at least a tenth of the largest absolute one, and 0.01 where
    all are zero. So an error e passes a tolerance t where e <= t * range + 0.1 * t * largest.
    Infinities, and what is no number, have to be in the same places. Integers and booleans have to
    be equal. An element that is not as it has to be has an infinite error.

    Parameters
    ----------
    actual, expected : numpy.ndarray
        Of one shape and element type.

    Raises
    ------
    RuntimeError
        If shapes or element types differ.
    """
    if actual.shape != expected.shape:
        raise RuntimeError(f"the output has shape {actual.shape}, torch's has {expected.shape}")
    if actual.dtype != expected.dtype:
        raise RuntimeError(f"the output is {actual.dtype}, torch's is {expected.dtype}")
    if not np.issubdtype(expected.dtype, np.inexact):
        return np.where(actual == expected, 0.0, np.inf)
    finite = np.isfinite(expected) & np.isfinite(actual)
    alike = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    errors = np.where(alike, 0.0, np.inf)
    wide = np.float64 if expected.dtype.kind == "f" else np.complex128
    difference = actual[finite].astype(wide) - expected[finite]
    errors[finite] = np.abs(difference) / _range(expected[np.isfinite(expected)])
    return errors


def undecided(
    actual: np.ndarray,
    expected: np.ndarray,
    exact: np.ndarray | None,
    disturbed: Sequence[np.ndarray],
) -> np.ndarray:
    """Tell which elements may differ for no fault of the compiler.

    Those are elements of which rounding decides, as ties of argmax and differences of nearly equal
    numbers: torch's own result moves at least a tenth as far where the input and the weights are
    disturbed by what rounding is; or the result is at most ten times as far from what float64
    gives as torch's float32 is. Nine of ten elements of an output say how far that is for the
    others: one draw moves some by less than another would. Where more than a tenth of some
    integers are others, as the classes of boxes in an order that rounding decides, all may be.

    Parameters
    ----------
    actual, expected : numpy.ndarray
    exact : numpy.ndarray or None
        Torch's output in float64.
    disturbed : sequence of numpy.ndarray
        Torch's outputs for disturbed inputs and weights.
    """
    errors = error(actual, expected)
    excused = np.zeros(expected.shape, bool)
    for other in disturbed:
        if other.shape == expected.shape:
            excused |= _is_within(errors, error(other, expected))
    if exact is None or exact.shape != expected.shape:
        return excused
    if not np.issubdtype(expected.dtype, np.inexact):
        return excused | _is_within(errors, np.where(exact == expected, 0.0, np.inf))
    with np.errstate(invalid="ignore", over="ignore"):
        return excused | _is_within(np.abs(exact - actual), np.abs(exact - expected))


def _is_within(errors: np.ndarray, torch_s: np.ndarray) -> np.ndarray:
    """Tell which errors are at most ten times torch's, at their place or usually.

    Those of integers are zero or infinite.
    """
    between = torch_s[np.isfinite(torch_s)]
    numbers = between if between.any() else torch_s
    usual = np.quantile(numbers, _USUAL, method="lower") if numbers.size else 0.0
    return errors <= _WORSE_THAN_TORCH * np.maximum(torch_s, usual)


def _range(values: np.ndarray) -> float:
    """Return what errors are measured in, of an output's finite values."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest < _NOTHING:
        return _RANGE_OF_ZEROS
    if np.iscomplexobj(values):
        return largest
    return max(float(values.max()) - float(values.min()), _OFFSET * largest)
