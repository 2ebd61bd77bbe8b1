"""Pooling at the edges of a map, against torch."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from definitions import assert_close, computed, random, reaching_out
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from tvmlcnn.ops import average_pool, global_average, max_pool

few = settings(max_examples=6, deadline=None, derandomize=True)
SHAPE = (2, 7, 9, 3)


@st.composite
def windows(draw: st.DrawFn) -> dict[str, tuple[int, int]]:
    """Draw what torch takes: padding of half a window at most."""
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = tuple(draw(st.integers(0, taps // 2)) for taps in kernel)
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return {"kernel_size": kernel, "stride": stride, "padding": padding}


def nchw(data: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(data.transpose(0, 3, 1, 2).copy())


def nhwc(tensor: torch.Tensor) -> np.ndarray:
    return tensor.numpy().transpose(0, 2, 3, 1)


def arguments(window: dict[str, tuple[int, int]], output: np.ndarray) -> dict[str, object]:
    """Return the arguments of a definition, but the padding."""
    size = output.shape[1:3]
    return {"size": size, "window": window["kernel_size"], "strides": window["stride"]}


@few
@given(window=windows(), ceil=st.booleans())
def test_max_pool(window: dict[str, tuple[int, int]], ceil: bool) -> None:
    data = random(*SHAPE) - 100  # a border of zeros would show
    expected = nhwc(F.max_pool2d(nchw(data), **window, ceil_mode=ceil))
    define = partial(max_pool, **arguments(window, expected), padding=window["padding"])
    np.testing.assert_array_equal(computed(define, data), expected)


@few
@given(window=windows(), ceil=st.booleans(), count=st.booleans())
def test_average_pool(window: dict[str, tuple[int, int]], ceil: bool, count: bool) -> None:
    data = random(*SHAPE) + 1
    pooled = F.avg_pool2d(nchw(data), **window, ceil_mode=ceil, count_include_pad=count)
    expected = nhwc(pooled)
    define = partial(
        average_pool,
        **arguments(window, expected),
        padding=[*window["padding"], *window["padding"]],
        count_include_pad=count,
    )
    assert_close(computed(define, data), expected)


@pytest.mark.parametrize("size", [(3, 3), (4, 4)])
def test_taps_outside_the_map_read_what_is_in_it(size: tuple[int, int]) -> None:
    """Of the map and its padding, or past that, as a size that is rounded up has it."""
    window = {"size": size, "window": (3, 3), "strides": (2, 2)}
    assert not reaching_out(partial(max_pool, **window, padding=(1, 1)), (1, 6, 6, 3))
    define = partial(average_pool, **window, padding=[1, 1, 1, 1], count_include_pad=True)
    assert not reaching_out(define, (1, 6, 6, 3))


@pytest.mark.parametrize("keep", [True, False])
def test_global_average(keep: bool) -> None:
    data = random(*SHAPE)
    expected = data.mean((1, 2), keepdims=keep)
    assert_close(computed(partial(global_average, keep=keep), data), expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(("height", "width"), [(7, 7), (14, 14), (13, 17), (1, 131), (48, 61)])
def test_codes_are_added_up_without_a_rounding(dtype: str, height: int, width: int) -> None:
    """Also where all are the least or the greatest, and parts of the sum are not equally long."""
    info = np.iinfo(dtype)
    data = (
        np.random.default_rng(0)
        .integers(info.min, info.max + 1, (1, height, width, 3))
        .astype(dtype)
    )
    data[..., 0], data[..., 1] = info.min, info.max
    found = computed(partial(global_average, keep=False), data)
    exact = data.sum((1, 2), dtype=np.int64).astype(np.float64) / (height * width)
    np.testing.assert_allclose(found, exact, rtol=3e-7)
