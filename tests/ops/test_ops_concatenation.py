"""Concatenation of any widths, also those that no block of elements divides."""

from __future__ import annotations

import numpy as np
import pytest
from definitions import computed, random
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn.ops import concatenate


def check(outer: tuple[int, ...], widths: list[int]) -> None:
    arrays = [random(*outer, width, seed=i) for i, width in enumerate(widths)]
    actual = computed(lambda *tensors: concatenate(list(tensors)), *arrays)
    np.testing.assert_array_equal(actual, np.concatenate(arrays, axis=-1))


@settings(max_examples=8, deadline=None, derandomize=True)
@given(widths=st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_any_widths(widths: list[int]) -> None:
    check((1, 2, 3), widths)


@pytest.mark.parametrize("widths", [[16, 8, 8], [24, 12, 4], [64, 32]])
def test_widths_of_vectors(widths: list[int]) -> None:
    check((2, 3, 1), widths)


def test_matrices() -> None:
    check((3,), [4, 2])
