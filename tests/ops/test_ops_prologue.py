"""What convolutions apply to their input when they read it, against numpy and torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from definitions import PLAIN, assert_close, computed, convolution, in_planes, random, table
from tvm import tirx
from tvm.ir import Expr

from tvmlcnn.ops import Blocking, Tile, Window, dense, pack, transform_weights, winograd

TILE = Tile(3, 2, 4)
ZEROS_AROUND = Window(padding=(1, 1, 1, 1))
# Of a channel and of an element: parameters are as large as the data, or 1, along each axis.
SCALE, SHIFT = random(1, 1, 1, 8, seed=2), random(2, 4, 5, 8, seed=3)


def normalized(value: Expr, scale: Expr, shift: Expr) -> Expr:
    return tirx.max(value * scale + shift, tirx.const(0.0, "float32"))


def run(
    data: np.ndarray,
    weight: np.ndarray,
    *more: np.ndarray,
    shape: Sequence[int],
    window: Window = PLAIN,
    **options: Any,
) -> np.ndarray:
    options |= {"shape": shape, "window": window, "tile": TILE, "prologue": normalized}
    return computed(partial(dense, **options), data, pack(weight, TILE), *more)


@pytest.mark.parametrize("size", [1, 3])
def test_of_a_convolution(size: int) -> None:
    """The zeros around the map stay zeros."""
    window = ZEROS_AROUND if size > 1 else PLAIN
    data, weight = random(2, 4, 5, 8), random(size, size, 8, 10, seed=1)
    expected = convolution(np.maximum(data * SCALE + SHIFT, 0), weight, window)
    packed = weight if size > 1 else weight[0, 0]
    actual = run(data, packed, SCALE, SHIFT, shape=expected.shape, window=window)
    assert_close(actual, expected)


def test_of_a_product() -> None:
    data, weight = random(4, 5), random(5, 10, seed=1)
    scale, shift = random(1, 5, seed=2), random(1, 1, seed=3)
    expected = np.maximum(data * scale + shift, 0) @ weight
    assert_close(run(data, weight, scale, shift, shape=(4, 10)), expected)


def test_of_planes() -> None:
    """The parameters lie in planes as the data do."""
    data, weight = random(2, 4, 5, 8), random(8, 10, seed=1)
    expected = np.maximum(data * SCALE + SHIFT, 0) @ weight
    scale = np.repeat(in_planes(SCALE, 4), 2, axis=0)
    actual = run(
        *(in_planes(data, 4), weight.reshape(2, 4, 10), scale, in_planes(SHIFT, 4)),
        shape=expected.shape,
        planes=2,
    )
    assert_close(actual, expected)


def test_of_channels_in_a_table() -> None:
    reads = [7, 0, 5, 2]
    data, weight = random(2, 4, 5, 8), random(len(reads), 10, seed=1)
    expected = np.maximum(data * SCALE + SHIFT, 0)[..., reads] @ weight
    scale = np.repeat(in_planes(SCALE, 4), 2, axis=0)
    actual = run(
        *(in_planes(data, 4), weight, table(reads, 2, 4, 5, 4), scale, in_planes(SHIFT, 4)),
        shape=expected.shape,
        table=True,
    )
    assert_close(actual, expected)


def test_of_winograd_s_filtering() -> None:
    data, weight = random(2, 4, 5, 8), random(3, 3, 8, 4, seed=1)
    define = partial(
        winograd,
        shape=(2, 4, 5, 4),
        inner=8,
        padding=ZEROS_AROUND.padding,
        blocking=Blocking(2, TILE, 3),
        prologue=normalized,
    )
    actual = computed(define, data, pack(transform_weights(weight, 2), TILE), SCALE, SHIFT)
    expected = convolution(np.maximum(data * SCALE + SHIFT, 0), weight, ZEROS_AROUND)
    assert_close(actual, expected, 2e-5)
