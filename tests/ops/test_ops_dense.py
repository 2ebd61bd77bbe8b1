"""Dense convolutions and products, however their input is stored, against torch and numpy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from definitions import (
    PLAIN,
    assert_close,
    computed,
    convolution,
    in_planes,
    random,
    reaching_out,
    table,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn.ops import Tile, Window, dense, pack

few = settings(max_examples=6, deadline=None, derandomize=True)
tiles = st.builds(Tile, st.integers(1, 5), st.integers(1, 2), st.sampled_from([4, 8]))
TILE = Tile(3, 2, 4)


def run(
    data: np.ndarray,
    weight: np.ndarray,
    *more: np.ndarray,
    shape: Sequence[int],
    window: Window = PLAIN,
    tile: Tile = TILE,
    **options: Any,
) -> np.ndarray:
    define = partial(dense, shape=shape, window=window, tile=tile, **options)
    return computed(define, data, pack(weight, tile), *more)


@few
@given(kernel=st.lists(st.integers(1, 3), max_size=3), outer=st.integers(1, 20), tile=tiles)
def test_packed_weights(kernel: list[int], outer: int, tile: Tile) -> None:
    """Blocks are cut from the output channels, and zeros fill up the last one."""
    weight = random(*kernel, 5, outer)
    packed = pack(weight, tile)
    assert packed.shape == (-(-outer // tile.channels), *kernel, 5, tile.channels)
    whole = np.concatenate(packed, axis=-1)
    np.testing.assert_array_equal(whole[..., :outer], weight)
    assert not whole[..., outer:].any()


@few
@given(rows=st.integers(1, 9), inner=st.integers(1, 9), outer=st.integers(1, 20), tile=tiles)
def test_product(rows: int, inner: int, outer: int, tile: Tile) -> None:
    data, weight = random(rows, inner), random(inner, outer, seed=1)
    assert_close(run(data, weight, shape=(rows, outer), tile=tile), data @ weight)


@few
@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.tuples(*[st.integers(0, 2)] * 4),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    batch=st.integers(1, 2),
    channels_first=st.booleans(),
)
def test_convolution(
    kernel: tuple[int, int],
    strides: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    batch: int,
    channels_first: bool,
) -> None:
    window = Window(strides, padding, dilation)
    data, weight = random(batch, 7, 6, 3), random(*kernel, 3, 10, seed=1)
    expected = convolution(data, weight, window)
    given_data = data.transpose(0, 3, 1, 2).copy() if channels_first else data
    actual = run(
        given_data, weight, shape=expected.shape, window=window, channels_first=channels_first
    )
    assert_close(actual, expected)


@pytest.mark.parametrize(
    ("shape", "data", "weight", "guarded"),
    [
        ((7, 4), (7, 5), (1, 5, 8), set()),
        ((1, 4, 4, 4), (1, 4, 4, 5), (1, 5, 8), set()),
        ((1, 4, 4, 4), (1, 4, 4, 5), (1, 3, 3, 5, 8), {"pad"}),
    ],
)
def test_rows_past_the_end_read_what_is_there(
    shape: tuple[int, ...], data: tuple[int, ...], weight: tuple[int, ...], guarded: set[str]
) -> None:
    """Tiles of three rows are computed whole."""
    window = Window(padding=(1, 1, 1, 1)) if guarded else PLAIN
    define = partial(dense, shape=shape, window=window, tile=TILE)
    assert reaching_out(define, data, weight) == guarded


def test_channels_past_those_of_the_weight_are_not_read() -> None:
    data, weight = random(1, 4, 5, 8), random(3, 10, seed=1)
    data[..., 3:] = np.nan
    assert_close(run(data, weight, shape=(1, 4, 5, 10)), data[..., :3] @ weight)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_planes(batch: int, size: int) -> None:
    """Of three planes the first two are read."""
    window = Window(padding=(size // 2,) * 4)
    data, weight = random(batch, 4, 5, 12), random(size, size, 8, 10, seed=1)
    expected = convolution(data[..., :8], weight, window)
    kernel = (size, size) if size > 1 else ()
    by_plane = weight.reshape(*kernel, 2, 4, 10)
    planes = in_planes(data, 4)
    actual = run(planes, by_plane, shape=expected.shape, window=window, planes=2)
    assert_close(actual, expected)


READS = [9, 0, 6, 7, 2]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_table(batch: int, size: int) -> None:
    edge = size // 2
    window = Window(padding=(edge,) * 4)
    data, weight = random(batch, 4, 5, 12), random(size, size, len(READS), 10, seed=1)
    expected = convolution(data[..., READS], weight, window)
    actual = run(
        in_planes(data, 4),
        weight if size > 1 else weight[0, 0],
        table(READS, batch, 4 + 2 * edge, 5 + 2 * edge, 4),
        shape=expected.shape,
        window=window,
        table=True,
    )
    assert_close(actual, expected)
