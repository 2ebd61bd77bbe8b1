"""Pooling, as torch has it: windows beyond the map, divisors, indices, uneven parts."""

from __future__ import annotations

from typing import Any

import torch
from drawn import check, lists_of, many, normal
from hypothesis import given
from hypothesis import strategies as st
from together import Case
from torch import nn
from torch.nn import functional as F

_MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
_ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}
_ADAPTIVE = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d}


def _each(draw: st.DrawFn, rank: int, low: int, high: int) -> list[int]:
    return draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))


def _map(draw: st.DrawFn, sizes: list[int]) -> torch.Tensor:
    lead = draw(st.sampled_from([[3], [1, 8], [2, 3]]))
    return normal(*lead, *sizes)


@st.composite
def windows(draw: st.DrawFn, kind: str) -> Case:
    rank = draw(st.integers(1, 3))
    kernel = _each(draw, rank, 1, 4)
    options: dict[str, Any] = {
        "padding": [draw(st.integers(0, k // 2)) for k in kernel],
        "ceil_mode": draw(st.booleans()),
    }
    if draw(st.booleans()):
        options["stride"] = _each(draw, rank, 1, 4)
    reach = kernel
    if kind == "max":
        options["dilation"] = dilation = _each(draw, rank, 1, 2)
        options["return_indices"] = draw(st.booleans())
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    else:
        options["count_include_pad"] = draw(st.booleans())
        if rank > 1 and draw(st.booleans()):
            options["divisor_override"] = draw(st.integers(1, 7))
    operator = (_MAX if kind == "max" else _AVERAGE)[rank]
    sizes = [max(n, r) for n, r in zip(_each(draw, rank, 1, 9), reach, strict=True)]
    data = _map(draw, sizes)
    name = f"{tuple(data.shape)} {kernel} {options}"
    return Case(name, lambda x: operator(x, kernel, **options), (data,))


@st.composite
def parts(draw: st.DrawFn, kind: str) -> Case:
    rank = draw(st.integers(1, 3))
    outputs, data = _each(draw, rank, 1, 7), _map(draw, _each(draw, rank, 1, 9))
    indices = kind == "max" and draw(st.booleans())
    operator = (_ADAPTIVE_MAX if kind == "max" else _ADAPTIVE)[rank]
    options = {"return_indices": True} if indices else {}
    name = f"{tuple(data.shape)} to {outputs} {options}"
    return Case(name, lambda x: operator(x, outputs, **options), (data,))


@given(lists_of(windows("max")))
@many
def test_max(cases: list[Case]) -> None:
    check(cases)


@given(lists_of(windows("average")))
@many
def test_average(cases: list[Case]) -> None:
    check(cases)


@given(lists_of(parts("max")))
@many
def test_adaptive_max(cases: list[Case]) -> None:
    check(cases)


@given(lists_of(parts("average")))
@many
def test_adaptive_average(cases: list[Case]) -> None:
    check(cases)


def test_other_pools() -> None:
    """Powers, what was taken from where, ties and infinities."""
    data = normal(1, 3, 8, 8)
    ties = torch.randint(0, 2, (1, 3, 8, 8), generator=torch.Generator().manual_seed(0)).float()

    def unpooled(x: torch.Tensor) -> torch.Tensor:
        values, places = F.max_pool2d(x, 2, return_indices=True)
        return F.max_unpool2d(values, places, 2)

    least = torch.full_like(data, -torch.inf)
    pools = [
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2, 1, dilation=2),
        nn.Sequential(nn.Flatten(2), nn.MaxPool1d(2, 1, 1)),
        nn.MaxPool3d(3, 2, 1),
        nn.AdaptiveMaxPool2d(3),
    ]
    check(
        [
            Case("lp", nn.LPPool2d(2, 3, 2), (data,)),
            Case("lp of one", nn.LPPool1d(3, 2), (data[0],)),
            Case("ties", lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True), (ties,)),
            Case("no stride, a later argument", nn.AvgPool2d(2, padding=1), (data,)),
            *(Case(f"least {n}", pool, (least,)) for n, pool in enumerate(pools)),
            Case("back", unpooled, (data,)),
            Case("more parts than there is", nn.AdaptiveMaxPool2d((16, 8)), (data,)),
            Case("one row to several", nn.AdaptiveMaxPool2d((3, 4), True), (data[:, :, :1],)),
        ]
    )
