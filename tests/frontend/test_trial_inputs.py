"""Inputs to try a network on."""

from __future__ import annotations

import numpy as np
import pytest

from tvmlcnn.frontend.trial_inputs import KINDS, disturbed, image_input, random_inputs
from tvmlcnn.runtime.preprocessing import Preprocessing

SHAPE = (1, 3, 6, 6)


def test_random_inputs_are_the_same_each_time() -> None:
    first, second = random_inputs([SHAPE, (2, 5)]), random_inputs([SHAPE, (2, 5)])
    assert [array.shape for array in first] == [SHAPE, (2, 5)]
    for one, other in zip(first, second, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first[0], random_inputs([SHAPE], seed=1)[0])


def test_a_picture_is_normalized_as_a_photo_is() -> None:
    """Values of 0 to 1 less the mean, over the deviation; neighbours are alike."""
    how = Preprocessing(mean=(0.0, 0.5, 0.0), std=(1.0, 1.0, 0.5))
    picture = image_input((1, 3, 24, 40), how)
    assert picture.shape == (1, 3, 24, 40)
    assert picture.dtype == np.float32
    for channel, (low, high) in enumerate([(0, 1), (-0.5, 0.5), (0, 2)]):
        values = picture[0, channel]
        assert low <= values.min() < values.max() <= high
        assert np.abs(np.diff(values)).mean() < np.ptp(values) / 8
    assert np.array_equal(
        image_input((1, 3, 8, 8), None), image_input((1, 3, 8, 8), Preprocessing())
    )


@pytest.mark.parametrize(
    ("kind", "low", "high"), [("uniform", 0, 1), ("zeros", 0, 0), ("large", -1000, 1000)]
)
def test_kinds(kind: str, low: float, high: float) -> None:
    arrays = random_inputs([SHAPE, (), (5,)], kind=kind)
    assert [array.shape for array in arrays] == [SHAPE, (), (5,)]
    for array in arrays:
        assert array.dtype == np.float32
        assert low <= array.min() <= array.max() <= high
    assert kind in KINDS
    assert np.abs(random_inputs([(1000,)], kind="large")[0]).max() > 100


def test_a_disturbance_is_of_the_size_of_rounding() -> None:
    """Of the largest value, also where there is none; integers are not rounded."""
    x, zeros, index = random_inputs([(1000,)], kind="large")[0], np.zeros(9, "f4"), np.arange(3)
    moved, near, same = disturbed([x, zeros, index], seed=0, rounding=3e-6)
    assert 1e-7 < np.abs(moved - x).max() / np.abs(x).max() < 1e-4
    assert 0 < np.abs(near).max() < 1e-4
    assert (moved.dtype, near.dtype) == (np.float32, np.float32)
    assert np.array_equal(same, index)
    assert not np.array_equal(moved, disturbed([x], seed=1, rounding=3e-6)[0])
