"""How a window walks over a map, and depthwise convolutions, against torch."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from definitions import assert_close, computed, convolution, random
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import te

from tvmlcnn.ops import Window, depthwise

pairs = st.tuples(st.integers(1, 2), st.integers(1, 2))


@pytest.mark.parametrize(
    ("window", "kernel", "size"),
    [
        (Window(), (1, 1), [7, 8]),
        (Window(), (3, 2), [5, 7]),
        (Window(strides=(2, 3)), (3, 3), [3, 2]),
        (Window(dilation=(3, 1)), (3, 3), [1, 6]),
    ],
)
def test_size_of_the_output(window: Window, kernel: tuple[int, int], size: list[int]) -> None:
    assert window.output((7, 8), kernel) == size


def test_tap_of_a_pixel() -> None:
    window = Window(strides=(2, 3), dilation=(1, 4))
    assert window.read((1, 5, 6), (2, 1)) == [1, 5 * 2 + 2, 6 * 3 + 4]


@pytest.mark.parametrize("channels_first", [False, True])
def test_zeros_around_the_maps(channels_first: bool) -> None:
    """Top, left, bottom, right."""
    window, data = Window(padding=(1, 2, 0, 3)), random(2, 3, 4, 5)
    around = [(1, 0), (2, 3)]
    edges = [(0, 0), (0, 0), *around] if channels_first else [(0, 0), *around, (0, 0)]
    actual = computed(lambda data: window.padded(data, channels_first), data)
    np.testing.assert_array_equal(actual, np.pad(data, edges))


def test_without_padding_nothing_is_copied() -> None:
    data = te.placeholder((1, 3, 4, 5))
    assert Window(strides=(2, 2)).padded(data) is data


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=pairs,
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    dilation=pairs,
    batch=st.integers(1, 2),
    channels=st.integers(1, 9),
)
def test_depthwise(
    kernel: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    batch: int,
    channels: int,
) -> None:
    window = Window(strides, padding, dilation)
    data, weight = random(batch, 6, 7, channels), random(*kernel, channels, seed=1)
    expected = convolution(data, weight[:, :, None], window, groups=channels)
    actual = computed(partial(depthwise, window=window), data, weight)
    assert_close(actual, expected)
