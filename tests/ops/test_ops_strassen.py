"""Strassen's algorithm: what it multiplies and adds up, and what it computes, against numpy."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from definitions import assert_close, computed, in_planes, random
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn.ops import Halving, Tile, Window, combine_weights, pack, strassen

TILE = Tile(2, 1, 4)


def test_whole_numbers_are_exact() -> None:
    """The seven products add up to what the eight do."""
    generator = np.random.default_rng(0)
    data, weight = (
        generator.integers(-9, 10, size).astype(np.float32) for size in ((1, 1, 2, 6), (6, 8))
    )
    define = partial(strassen, shape=(1, 1, 2, 8), window=Window(), halving=Halving(TILE, 2))
    found = computed(define, data, pack(combine_weights(weight), TILE))
    np.testing.assert_array_equal(found, data @ weight)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 2), st.integers(1, 7), st.integers(1, 7)),
    half=st.integers(1, 6),
    block=st.sampled_from([2, 4, 6]),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_convolution(
    size: tuple[int, int, int], half: int, block: int, strides: tuple[int, int]
) -> None:
    """Also of an odd number of pixels, and of blocks that are not whole."""
    data, weight = random(*size, 2 * half), random(2 * half, 16, seed=1)
    expected = data[:, :: strides[0], :: strides[1]] @ weight
    define = partial(
        strassen, shape=expected.shape, window=Window(strides), halving=Halving(TILE, block)
    )
    assert_close(computed(define, data, pack(combine_weights(weight), TILE)), expected, 1e-5)


@pytest.mark.parametrize(("first", "inner"), [(0, 24), (4, 16), (10, 12), (6, 2)])
def test_channels_of_planes(first: int, inner: int) -> None:
    data, weight = random(2, 3, 3, 24), random(inner, 8, seed=1)
    define = partial(
        strassen, shape=(2, 3, 3, 8), window=Window(), halving=Halving(TILE, 4), first=first
    )
    packed = pack(combine_weights(weight), TILE)
    found = computed(define, in_planes(data, 8), packed)
    assert_close(found, data[..., first : first + inner] @ weight, 1e-5)
