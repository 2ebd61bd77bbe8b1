"""Unfolding maps into columns of windows, and folding those together, against torch."""

from __future__ import annotations

import torch
from drawn import check, lists_of, many, normal
from hypothesis import given
from hypothesis import strategies as st
from together import Case
from torch.nn import functional as F


def _two(draw: st.DrawFn, least: int, most: int) -> tuple[int, int]:
    return draw(st.integers(least, most)), draw(st.integers(least, most))


@st.composite
def windows(draw: st.DrawFn) -> Case:
    size = _two(draw, 5, 9)
    kernel = _two(draw, 1, 3)
    options = {
        "dilation": tuple(draw(st.integers(1, 3 if k == 2 else 1 + (k == 3))) for k in kernel),
        "padding": _two(draw, 0, 3),
        "stride": _two(draw, 1, 4),
    }
    batch = draw(st.sampled_from([(), (1,), (2,)]))
    channels = draw(st.sampled_from([1, 3, 8]))
    data = normal(*batch, channels, *size)
    name = f"{tuple(data.shape)} {kernel} {options}"
    if draw(st.booleans()):
        return Case(f"unfold {name}", lambda x: F.unfold(x, kernel, **options), (data,))
    columns = F.unfold(data, kernel, **options)
    return Case(f"fold {name}", lambda x: F.fold(x, size, kernel, **options), (torch.sin(columns),))


@given(lists_of(windows(), 48))
@many
def test_windows(cases: list[Case]) -> None:
    check(cases)
