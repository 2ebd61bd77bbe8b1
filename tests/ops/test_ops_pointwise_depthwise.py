"""A pointwise and a depthwise convolution in pieces, against one after the other in torch."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from definitions import assert_close, computed, convolution, random
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import tirx
from tvm.ir import Expr

from tvmlcnn.ops import Banding, Tile, Window, pack, pointwise_depthwise


def biased(value: Expr, bias: Expr) -> Expr:
    return tirx.max(value + bias, tirx.const(0.0, "float32"))


def check(data: np.ndarray, taps: int, channels: int, window: Window, banding: Banding) -> None:
    inner = data.shape[3]
    weight, kernel = random(inner, channels, seed=1), random(taps, taps, channels, seed=2)
    bias = random(channels, seed=3)
    between = np.maximum(data @ weight + bias, 0)
    expected = convolution(between, kernel[:, :, None], window, channels)
    packed = pack(weight, banding.pointwise)
    missing = packed.shape[0] * packed.shape[2] - channels
    define = partial(
        pointwise_depthwise, shape=expected.shape, window=window, banding=banding, epilogue=biased
    )
    assert_close(computed(define, data, packed, kernel, np.pad(bias, (0, missing))), expected)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 8),
    taps=st.sampled_from([1, 3]),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.tuples(*[st.integers(0, 1)] * 4),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    batch=st.integers(1, 2),
    pixels=st.integers(1, 5),
)
def test_bands_of_rows(
    rows: int,
    taps: int,
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    batch: int,
    pixels: int,
) -> None:
    """The rows between two bands are computed for both; past the map there are zeros."""
    tile = Tile(pixels, 1, 4)
    banding = Banding(rows, 8, tile, Tile(2, 1, 4))
    check(random(batch, 8, 7, 3), taps, 8, Window(strides, padding, dilation), banding)


@pytest.mark.parametrize(("channels", "wide"), [(16, 8), (16, 16), (10, 16), (24, 8)])
def test_blocks_of_channels(channels: int, wide: int) -> None:
    """Divisors of the channels, or all of them and what fills up the last tile."""
    banding = Banding(3, wide, Tile(3, 2, 4), Tile(2, 1, 4))
    check(random(1, 6, 5, 4), 3, channels, Window(padding=(1, 1, 1, 1)), banding)


def test_channels_past_those_of_the_weight_are_not_read() -> None:
    data, weight, kernel = random(1, 4, 4, 6), random(3, 8, seed=1), random(3, 3, 8, seed=2)
    data[..., 3:] = np.nan
    banding = Banding(2, 8, Tile(4, 1, 4), Tile(1, 1, 4))
    define = partial(
        pointwise_depthwise,
        shape=(1, 2, 2, 8),
        window=Window(),
        banding=banding,
        epilogue=lambda value: value,
    )
    actual = computed(define, data, pack(weight, banding.pointwise), kernel)
    assert_close(actual, convolution(data[..., :3] @ weight, kernel[:, :, None], groups=8))
