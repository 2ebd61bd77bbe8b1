"""The tables of resizing against torch, for each mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from interpolation_modes import RANKS
from torch.nn import functional as F

from tvmlcnn.ops.resampling import Taps, adaptive_average, interpolation, scaled_size

many = settings(max_examples=150, deadline=None, derandomize=True)
ONE_AXIS = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
FACTORS = [0.3, 0.5, 0.7, 1.0, 1.1, 1.3, 1.5, 2.0, 2.7, 3.0]
# Positions are rounded to the type, and what is interpolated between is of the size of one.
BOUND = {"float32": 5e-6, "float64": 1e-12}


def mapped(data: np.ndarray, tables: Sequence[Taps]) -> np.ndarray:
    """Return the data after a map along each axis but the first two."""
    for axis, taps in enumerate(tables, 2):
        moved = np.moveaxis(data, axis, -1)[..., taps.sources]
        data = np.moveaxis((moved * taps.weights).sum(-1), -1, axis)
    return data


@st.composite
def resizes(draw: st.DrawFn) -> tuple[str, list[int], list[int], list[float] | None, bool, bool]:
    mode = draw(st.sampled_from(sorted(RANKS)))
    rank = draw(st.sampled_from(RANKS[mode]))
    size = draw(st.lists(st.integers(1, 40), min_size=rank, max_size=rank))
    factors = None
    if draw(st.booleans()):
        factors = draw(st.lists(st.sampled_from(FACTORS), min_size=rank, max_size=rank))
        outputs = [scaled_size(n, factor) for n, factor in zip(size, factors, strict=True)]
        assume(min(outputs) > 0)
    else:
        outputs = draw(st.lists(st.integers(1, 60), min_size=rank, max_size=rank))
    corners = not mode.startswith("nearest") and draw(st.booleans())
    antialias = mode in ("bilinear", "bicubic") and draw(st.booleans())
    return mode, size, outputs, factors, corners, antialias


@many
@given(resize=resizes(), dtype=st.sampled_from(["float32", "float64"]))
def test_interpolate(resize: tuple[Any, ...], dtype: str) -> None:
    mode, size, outputs, factors, corners, antialias = resize
    # Of a width of one torch reads beside the map.
    assume(not (antialias and outputs[-1] == 1))
    data = np.random.default_rng(0).standard_normal((2, 3, *size)).astype(dtype)
    options: dict[str, Any] = {"scale_factor": factors} if factors else {"size": outputs}
    if not mode.startswith("nearest"):
        options["align_corners"] = corners
    expected = F.interpolate(torch.tensor(data), mode=mode, antialias=antialias, **options)
    tables = [
        interpolation(
            n,
            out,
            ONE_AXIS.get(mode, mode),
            align_corners=corners,
            antialias=antialias,
            factor=factors[axis] if factors else None,
            rank=len(size),
            dtype=dtype,
        )
        for axis, (n, out) in enumerate(zip(size, outputs, strict=True))
    ]
    bound = 0.0 if mode.startswith("nearest") else BOUND[dtype]
    np.testing.assert_allclose(mapped(data, tables), expected.numpy(), rtol=0, atol=bound)


@many
@given(sizes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 20)), min_size=1, max_size=3))
def test_adaptive_average(sizes: list[tuple[int, int]]) -> None:
    data = np.random.default_rng(0).standard_normal((1, 2, *(n for n, _ in sizes)))
    pool = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[len(sizes) - 1]
    expected = pool(torch.tensor(data), [out for _, out in sizes]).numpy()
    tables = [adaptive_average(n, out, "float64") for n, out in sizes]
    np.testing.assert_allclose(mapped(data, tables), expected, rtol=0, atol=1e-12)


def test_what_changes_nothing() -> None:
    assert interpolation(7, 7, "nearest").changes_nothing
    assert interpolation(7, 7, "cubic").changes_nothing
    assert adaptive_average(7, 7).changes_nothing
    assert not interpolation(7, 14, "nearest").changes_nothing
    assert not interpolation(7, 7, "cubic", factor=1.1).changes_nothing


def test_only_what_is_weighed_is_a_tap() -> None:
    assert interpolation(7, 14, "nearest").sources.shape == (14, 1)
    assert interpolation(14, 7, "linear", align_corners=True).sources.shape == (7, 2)
    assert interpolation(15, 5, "linear").sources.shape == (5, 1)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="area"):
        interpolation(4, 8, "area")
