"""Winograd's minimal filtering: its transforms, and what it computes, against torch."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from definitions import assert_close, computed, convolution, random
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn.ops import Blocking, Tile, Window, is_exact, pack, transform_weights, winograd

TILE = Tile(2, 1, 4)
OF_CODES = [(1, 2), (1, 4), (2, 2), (2, 4)]  # strides, and outputs of a tile


@pytest.mark.parametrize(
    ("outputs", "sums"),
    [
        (2, [1, 1.5, 0.5, 1]),
        (4, [-1 / 2, -1 / 6, 7 / 24, 1 / 8, 1 / 4, 1]),
        (5, [-1 / 3, 1 / 3, 7 / 60, -1 / 12, 1 / 2, 1, -24 / 45]),
    ],
)
def test_transformed_weights(outputs: int, sums: list[float]) -> None:
    """Of a kernel of ones each point is a product of sums of G's rows; channels stay apart."""
    scale = random(5, 7)
    weight = np.ones((3, 3, 1, 1), np.float32) * scale
    transformed = transform_weights(weight, outputs)
    assert transformed.dtype == np.float32
    assert_close(transformed, np.einsum("i,j,ck->ijck", sums, sums, scale), 1e-6)


def test_a_kernel_of_one_tap_is_one_row_and_column_of_g() -> None:
    weight = np.zeros((3, 3, 1, 1), np.float32)
    weight[0, 2] = 1
    expected = np.outer([1, 1 / 2, 1 / 2, 0], [0, 1 / 2, 1 / 2, 1])
    np.testing.assert_array_equal(transform_weights(weight, 2)[:, :, 0, 0], expected)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    way=st.sampled_from([(1, 2), (1, 4), (1, 5), (2, 2), (2, 4)]),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    block=st.sampled_from([2, 4, 6]),
    batch=st.integers(1, 2),
    channels=st.integers(1, 6),
)
def test_convolution(
    way: tuple[int, int],
    size: tuple[int, int],
    padding: tuple[int, int, int, int],
    block: int,
    batch: int,
    channels: int,
) -> None:
    """Also of maps and blocks that are no whole number of tiles."""
    stride, outputs = way
    data, weight = random(batch, *size, 3), random(3, 3, 3, channels, seed=1)
    packed = pack(transform_weights(weight, outputs, stride), TILE)
    blocking = Blocking(outputs, TILE, block)
    expected = convolution(data, weight, Window((stride, stride), padding))
    define = partial(
        winograd,
        shape=expected.shape,
        inner=3,
        padding=padding,
        blocking=blocking,
        stride=stride,
    )
    assert_close(computed(define, data, packed), expected, 2e-5)


def _sums(
    codes: np.ndarray, weight: np.ndarray, zero: int, padding: int, stride: int
) -> np.ndarray:
    """Return the sums of products of codes, those around the map as well, of 64 bits."""
    around = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    data = np.pad(codes.astype(np.int64), around, constant_values=zero)
    windows = np.lib.stride_tricks.sliding_window_view(data, (3, 3), (1, 2))
    windows = windows[:, ::stride, ::stride]
    return np.einsum("nhwcyx,yxck->nhwk", windows, weight.astype(np.int64))


def _of_codes(
    codes: np.ndarray, weight: np.ndarray, zero: int, padding: int, way: tuple[int, int]
) -> np.ndarray:
    (stride, outputs), inner = way, codes.shape[3]
    size = ((n + 2 * padding - 3) // stride + 1 for n in codes.shape[1:3])
    packed = pack(transform_weights(weight, outputs, stride), TILE)
    assert packed.dtype == np.int16
    define = partial(
        winograd,
        shape=(1, *size, weight.shape[3]),
        inner=inner,
        padding=(padding,) * 4,
        blocking=Blocking(outputs, TILE, 4),
        stride=stride,
        zero=zero,
    )
    return computed(define, codes, packed)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    way=st.sampled_from(OF_CODES),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    padding=st.integers(0, 2),
    zero=st.sampled_from([-128, 0, 5, 127]),
    seed=st.integers(0, 9),
)
def test_sums_of_codes_are_exact(
    way: tuple[int, int], size: tuple[int, int], padding: int, zero: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    codes = generator.choice([-128, 127, zero, 3], (1, *size, 5)).astype(np.int8)
    weight = generator.choice([-128, 127, -63, 1], (3, 3, 5, 6)).astype(np.int8)
    found = _of_codes(codes, weight, zero, padding, way)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, _sums(codes, weight, zero, padding, way[0]))


@pytest.mark.parametrize("way", OF_CODES)
@pytest.mark.parametrize("weights", [(127, 127), (-128, -128), (127, -128)])
def test_what_leaves_32_bits_on_the_way_comes_back(
    way: tuple[int, int], weights: tuple[int, int]
) -> None:
    """Transformed codes and weights of all points are as large as they can be, of many channels."""
    weight = np.full((3, 3, 224, 2), weights[0], np.int8)
    weight[:, 1] = weights[1]
    assert is_exact(weight, way[1], way[0])
    codes = np.full((1, 6, 6, 224), -128, np.int8)
    codes[:, ::2, 1::2] = codes[:, 1::2, ::2] = 127
    found = _of_codes(codes, weight, 0, 0, way)
    np.testing.assert_array_equal(found, _sums(codes, weight, 0, 0, way[0]))


@pytest.mark.parametrize(("way", "bits"), [((1, 2), 22), ((1, 4), 18), ((2, 4), 22)])
def test_sums_that_are_too_long_are_told(way: tuple[int, int], bits: int) -> None:
    """Of a channel of the result: that of another one does not matter."""
    channels = 2**bits // (9 * 64) + 1
    weight = np.zeros((3, 3, channels, 2), np.int8)
    weight[..., 0] = 64
    weight[:, :, -1, 0] = 0
    assert is_exact(weight, way[1], way[0])
    weight[:, :, -1, 0] = 127
    assert not is_exact(weight, way[1], way[0])
