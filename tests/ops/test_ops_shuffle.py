"""Channels of bytes anywhere, against numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from definitions import computed
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn.ops import shuffle

few = settings(max_examples=12, deadline=None, derandomize=True)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@few
@given(
    planes=st.integers(1, 3),
    batch=st.integers(1, 2),
    wide=st.sampled_from([16, 24, 40]),
    count=st.sampled_from([16, 48]),
    seed=st.integers(0, 99),
)
def test_shuffle(dtype: str, planes: int, batch: int, wide: int, count: int, seed: int) -> None:
    """Each channel is where it is asked for, and -1 is a zero."""
    generator = np.random.default_rng(seed)
    data = generator.integers(0, 100, (planes * batch, 3, 5, wide)).astype(dtype)
    places = generator.integers(-1, planes * wide, count)
    by_plane = data.reshape(planes, batch, 3, 5, wide).transpose(1, 2, 3, 0, 4)
    expected = by_plane.reshape(batch, 3, 5, -1)[..., places] * (places >= 0)
    found = computed(partial(shuffle, places=places, batch=batch), data)
    np.testing.assert_array_equal(found, expected)
