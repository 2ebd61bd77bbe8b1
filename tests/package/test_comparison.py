"""When an output is torch's: floating point, what is no number, ties, and what has no digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tvmlcnn.package.comparison import error, undecided

TOLERANCE = 1e-4
NAN, INF = float("nan"), float("inf")


def array(values: object, dtype: str = "float32") -> np.ndarray:
    return np.array(values, dtype)


@pytest.mark.parametrize(
    ("actual", "expected", "largest"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.5], [0.0, 4.0], 1.5 / 4),
        ([-3.0, 1.0], [-3.0, 5.0], 4 / 8),
        ([2.5, 2.0], [2.0, 2.0], 0.5 / 0.2),  # no range: over a tenth of the largest
        ([0.25], [0.0], 0.25 / 0.01),
        ([1e-40], [0.0], 0.0),
        ([], [], 0.0),
        ([NAN, INF, -INF, 1.0], [NAN, INF, -INF, 1.0], 0.0),
        ([0.0, 1.0], [NAN, 1.0], INF),
        ([NAN, 1.0], [0.0, 1.0], INF),
        ([-INF, 1.0], [INF, 1.0], INF),
        ([1e38, 1.0], [INF, 1.0], INF),
        ([0.0, 3.0, NAN], [1.0, 3.0, NAN], 1 / 2),  # the range is that of the numbers
    ],
)
def test_floating_point(actual: list[float], expected: list[float], largest: float) -> None:
    found = error(array(actual), array(expected))
    assert found.max(initial=0.0) == pytest.approx(largest, abs=1e-30, rel=1e-6)


def test_rounding_of_values_that_hardly_vary() -> None:
    """They differ by less than what float32 can tell: no error over their range says anything."""
    expected = array([5.0, np.nextafter(array(5.0), 6), 5.0])
    assert error(expected[::-1] + np.float32(1e-6), expected).max() < TOLERANCE
    assert error(expected + np.float32(1e-4), expected).max() > TOLERANCE


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_integers_are_exact(dtype: str) -> None:
    found = error(array([1, 0, 1], dtype), array([1, 1, 1], dtype))
    assert found.tolist() == [0, INF, 0]


@pytest.mark.parametrize(
    ("actual", "said"),
    [
        (np.zeros((2, 1), "f4"), r"has shape \(2, 1\), torch's has \(1, 2\)"),
        (np.zeros((1, 2), "i4"), "is int32, torch's is float32"),
    ],
)
def test_another_form(actual: np.ndarray, said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        error(actual, np.zeros((1, 2), "f4"))


def excused(actual: object, expected: object, dtype: str = "float32", **doubt: Any) -> list[bool]:
    exact = doubt.get("exact")
    return undecided(
        array(actual, dtype),
        array(expected, dtype),
        None if exact is None else array(exact, "float64" if dtype == "float32" else dtype),
        [array(values, dtype) for values in doubt.get("disturbed", [])],
    ).tolist()


def test_ties_are_excused_and_nothing_else() -> None:
    """The first index is another one when the input is disturbed; the others are the network's."""
    actual, expected = [3, 1], [2, 0]
    assert excused(actual, expected, "int64", disturbed=[expected] * 2) == [False] * 2
    assert excused(actual, expected, "int64", disturbed=[expected, [3, 0]]) == [True, False]
    assert excused(actual, expected, "int64", exact=[7, 0]) == [True, False]


def test_a_disturbance_excuses_errors_of_its_size() -> None:
    """At an element by itself; and at all, where nearly all of them move."""
    expected = np.linspace(0, 1, 40, dtype="f4")
    actual, moved = expected.copy(), expected.copy()
    actual[:3] += np.array([0.05, 0.05, 0.2], "f4")
    moved[[0, 2]] += np.float32(0.01)
    same = [True] * 37
    assert excused(actual, expected, disturbed=[moved]) == [True, False, False, *same]
    moved[3:] -= np.float32(0.006)
    assert excused(actual, expected, disturbed=[moved]) == [True, True, False, *same]


def test_ten_times_torch_s_own_error_is_excused() -> None:
    """As in a difference of nearly equal numbers, of which float64 has more digits."""
    expected, exact = [1.0, 2.0, 3.0], [1.001, 2.001, 3.001]
    assert excused([1.009, 2.012, 2.995], expected, exact=exact) == [True, False, True]
    assert excused([1.009, NAN, 2.9], expected, exact=exact) == [True, False, False]
    assert excused([1.009, 2.0, 3.0], expected, exact=expected) == [False, True, True]


def test_what_jumps_excuses_nothing_beside_it() -> None:
    """One of a thousand values that float64 has elsewhere says nothing of the others' rounding."""
    expected = np.linspace(0, 1, 1000, dtype="f4")
    exact = expected.astype("f8")
    exact[7] += 0.5
    actual = expected.copy()
    actual[[7, 500]] += np.float32(0.25)
    assert np.flatnonzero(undecided(actual, expected, exact, [])).tolist() == [
        i for i in range(1000) if i != 500
    ]


def test_integers_in_an_order_that_rounding_decides() -> None:
    """Where more than a tenth of them are others, all may be; where fewer are, only those."""
    expected, actual = np.zeros(30, "i8"), np.zeros(30, "i8")
    actual[[0, 20]] = 1
    for moved, both in ((3, False), (4, True)):
        other = expected.copy()
        other[:moved] = 2
        for doubt in ({"disturbed": [other]}, {"exact": other}):
            found = excused(actual, expected, "int64", **doubt)
            assert (found[0], found[20]) == (True, both)
