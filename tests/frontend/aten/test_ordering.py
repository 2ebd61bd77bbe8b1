"""Sorting, searching and running totals against torch."""

from __future__ import annotations

import pytest
import torch
from against_torch import compare
from hypothesis import given, settings
from hypothesis import strategies as st

SPECIAL = torch.tensor([0.0, -0.0, 1.0, float("nan"), float("inf"), -float("inf"), -1.0, 1.0])
DTYPES = [torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool]


def _values(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """Return few different values, so that many are equal, and NaN and infinities among them."""
    generator = torch.Generator().manual_seed(seed)
    if dtype.is_floating_point:
        return SPECIAL[torch.randint(0, 8, shape, generator=generator)].to(dtype)
    return torch.randint(0, 5, shape, generator=generator).to(dtype)


@pytest.mark.long
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    shape=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    dim=st.integers(0, 2),
    descending=st.booleans(),
    dtype=st.sampled_from(DTYPES),
)
def test_sort(shape: list[int], dim: int, descending: bool, dtype: torch.dtype) -> None:
    data, axis = _values(*shape, dtype=dtype), dim % len(shape)
    kernels = compare(lambda x: torch.sort(x, dim=axis, descending=descending, stable=True), data)
    assert kernels["rows"] == ["sort"]


@pytest.mark.parametrize(("size", "count"), [(1, 1), (7, 7), (50, 3), (50, 1), (300, 75)])
@pytest.mark.parametrize("largest", [True, False])
def test_topk(size: int, count: int, largest: bool) -> None:
    data = _values(3, size, seed=size)
    compare(lambda x: torch.topk(x, count, 1, largest=largest)[0], data)
    different = torch.randperm(2 * size, generator=torch.Generator().manual_seed(1)).reshape(2, -1)
    compare(lambda x: torch.topk(x, count, 1, largest=largest), different)


@pytest.mark.parametrize("size", [1, 6, 7])
def test_kth_and_median(size: int) -> None:
    data = torch.randn(3, size, 4, generator=torch.Generator().manual_seed(size))
    data[0, 0, 0] = float("nan")
    compare(lambda x: (torch.kthvalue(x, size, 1), torch.median(x, 1), torch.median(x)), data)
    compare(lambda x: torch.median(x, 1, keepdim=True), data)


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_running_totals(dim: int, dtype: torch.dtype) -> None:
    data = torch.randint(-3, 4, (3, 5, 20), generator=torch.Generator().manual_seed(dim)).to(dtype)
    compare(lambda x: (torch.cumsum(x, dim), torch.cumprod(x, dim)), data)
    compare(lambda x: (torch.cummax(x, dim), torch.cummin(x, dim)), data)
    compare(lambda x: (torch.cummax(x > 0, dim), torch.cummin(x > 0, dim)), data)
    if dtype.is_floating_point:
        unusual = _values(3, 5, 20)
        compare(lambda x: (torch.cummax(x, dim), torch.logcumsumexp(x, dim)), unusual)


@pytest.mark.parametrize("right", [True, False])
def test_search(right: bool) -> None:
    bounds = torch.tensor([-1.0, 0.0, 1.0, 1.0, 2.0])
    data = _values(4, 9)
    compare(lambda x: torch.bucketize(x, bounds, right=right, out_int32=True), data)
    rows = torch.sort(torch.randn(4, 6, generator=torch.Generator().manual_seed(0)), -1)[0]
    compare(lambda s, x: torch.searchsorted(s, x, right=right), rows, data)
