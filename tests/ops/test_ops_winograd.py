"""Winograd's minimal filtering: its transforms, and what it computes, against torch."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from definitions import assert_close, computed, convolution, random
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn.ops import Blocking, Tile, Window, pack, transform_weights, winograd

TILE = Tile(2, 1, 4)


@pytest.mark.parametrize(
    ("outputs", "sums"),
    [(2, [1, 1.5, 0.5, 1]), (4, [-1 / 2, -1 / 6, 7 / 24, 1 / 8, 1 / 4, 1])],
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


@settings(max_examples=4, deadline=None, derandomize=True)
@given(
    outputs=st.sampled_from([2, 4]),
    size=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    block=st.sampled_from([2, 4, 6]),
    batch=st.integers(1, 2),
    channels=st.integers(1, 6),
)
def test_convolution(
    outputs: int,
    size: tuple[int, int],
    padding: tuple[int, int, int, int],
    block: int,
    batch: int,
    channels: int,
) -> None:
    """Also of maps and blocks that are no whole number of tiles."""
    data, weight = random(batch, *size, 3), random(3, 3, 3, channels, seed=1)
    packed = pack(transform_weights(weight, outputs), TILE)
    blocking = Blocking(outputs, TILE, block)
    expected = convolution(data, weight, Window(padding=padding))
    define = partial(winograd, shape=expected.shape, inner=3, padding=padding, blocking=blocking)
    assert_close(computed(define, data, packed), expected, 2e-5)
