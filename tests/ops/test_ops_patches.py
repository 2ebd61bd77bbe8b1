"""The bytes that pixels of a convolution read, brought together, against numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from definitions import computed
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn.ops import Window, patches


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 2),
    size=st.tuples(st.integers(3, 9), st.integers(3, 24)),
    padding=st.tuples(*[st.integers(0, 3)] * 4),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    channels=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_patches(
    dtype: str,
    batch: int,
    size: tuple[int, int],
    padding: tuple[int, int, int, int],
    strides: tuple[int, int],
    channels: int,
    seed: int,
) -> None:
    """Also around maps, where whole rows are not there, and of maps narrower than a load."""
    generator = np.random.default_rng(seed)
    data = generator.integers(0, 100, (batch, *size, 4)).astype(dtype)
    row, tap, channel = np.indices((3, 3, channels))
    places = (row * 16 + tap * 4 + channel).reshape(-1)
    places = np.pad(places, (0, -len(places) % 16), constant_values=-1)
    top, left, bottom, right = padding
    around = np.pad(data, [(0, 0), (top, bottom), (left, right), (0, 0)], constant_values=7)
    windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (1, 2))
    windows = windows[:, :: strides[0], :: strides[1], :channels].transpose(0, 1, 2, 4, 5, 3)
    wanted = windows.reshape(*windows.shape[:3], -1)
    shape = (*wanted.shape[:3], len(places))
    window = Window(strides, padding)
    found = computed(partial(patches, places=places, window=window, shape=shape, zero=7), data)
    np.testing.assert_array_equal(found[..., : 9 * channels], wanted)
