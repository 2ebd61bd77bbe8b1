"""Convolutions in groups, by vectors over several groups and by diagonals, against torch."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from definitions import PLAIN, assert_close, computed, convolution, random, reaching_out
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn.ops import Tile, Window, diagonals, grouped, grouped_diagonals, pack

few = settings(max_examples=6, deadline=None, derandomize=True)
some_windows = st.builds(
    Window,
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)


def check_grouped(
    data: np.ndarray, kernel: tuple[int, int], outer: int, groups: int, window: Window, tile: Tile
) -> None:
    """Compare groups of ``outer`` output channels with torch's."""
    channels = outer * groups
    weight = random(*kernel, data.shape[3] // groups, channels, seed=1)
    define = partial(grouped, channels=channels, groups=groups, window=window, tile=tile)
    actual = computed(define, data, pack(weight, tile))
    assert_close(actual, convolution(data, weight, window, groups))


# Channels of a group, and groups: vectors in one, in two and in many groups.
GROUPS = [(8, 2), (4, 3), (6, 2), (12, 3), (2, 6), (1, 8), (10, 2)]


@pytest.mark.parametrize(("outer", "groups"), GROUPS)
def test_pointwise(outer: int, groups: int) -> None:
    check_grouped(random(1, 3, 5, 3 * groups), (1, 1), outer, groups, PLAIN, Tile(4, 1, 4))


@pytest.mark.parametrize("size", [1, 3])
def test_pixels_past_the_end_read_what_is_there(size: int) -> None:
    """Tiles of four pixels, of fifteen or of rows of five, are computed whole."""
    window = Window(padding=(size // 2,) * 4)
    define = partial(grouped, channels=8, groups=2, window=window, tile=Tile(4, 1, 4))
    guarded = {"pad"} if size > 1 else set()
    assert reaching_out(define, (1, 3, 5, 4), (2, size, size, 2, 4)) == guarded


@pytest.mark.parametrize("strides", [(1, 1), (1, 2)])
def test_rows_that_no_tile_divides(strides: tuple[int, int]) -> None:
    """What is past the end of a row reads zeros; what is before it stays where it is."""
    window = Window(strides, padding=(0, 1, 0, 0))
    check_grouped(random(1, 3, 8, 4), (3, 3), 8, 2, window, Tile(4, 1, 4))


@few
@given(
    window=some_windows,
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.sampled_from(GROUPS),
    batch=st.integers(1, 2),
    pixels=st.integers(1, 4),
)
def test_windows(
    window: Window, kernel: tuple[int, int], groups: tuple[int, int], batch: int, pixels: int
) -> None:
    data = random(batch, 6, 7, 2 * groups[1])
    check_grouped(data, kernel, *groups, window, Tile(pixels, 1, 4))


def test_packed_diagonals() -> None:
    """Of two groups of two channels: the inputs' own outputs, then those of their neighbours."""
    weight = np.array([[11, 12, 33, 34], [21, 22, 43, 44]], "float32").reshape(1, 1, 2, 4)
    packed = diagonals(weight, lanes=4)
    assert packed.shape == (1, 1, 1, 2, 4)
    assert packed[0, 0, 0].tolist() == [[11, 22, 33, 44], [12, 21, 34, 43]]


@few
@given(
    window=some_windows,
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.sampled_from([2, 4]),
    vectors=st.integers(1, 3),
    batch=st.integers(1, 2),
    pixels=st.integers(1, 3),
)
def test_diagonals(
    window: Window, kernel: tuple[int, int], size: int, vectors: int, batch: int, pixels: int
) -> None:
    lanes = 8
    channels = vectors * lanes
    data, weight = random(batch, 6, 7, channels), random(*kernel, size, channels, seed=1)
    define = partial(grouped_diagonals, window=window, tile=Tile(pixels, 1, lanes))
    actual = computed(define, data, diagonals(weight, lanes))
    assert_close(actual, convolution(data, weight, window, channels // size))
