"""Resizing in all modes, by sizes and by factors."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from drawn import check, lists_of, many, normal
from hypothesis import given
from hypothesis import strategies as st
from interpolation_modes import RANKS
from together import Case
from torch.nn import functional as F

_MODES = {**RANKS, "area": (1, 2, 3)}


@st.composite
def resizes(draw: st.DrawFn) -> Case:
    mode = draw(st.sampled_from(sorted(_MODES)))
    rank = draw(st.sampled_from(_MODES[mode]))
    sizes = draw(st.lists(st.integers(2, 9), min_size=rank, max_size=rank))
    options: dict[str, Any] = {"mode": mode}
    if draw(st.booleans()):
        options["size"] = draw(st.lists(st.integers(1, 14), min_size=rank, max_size=rank))
    else:
        factors = st.sampled_from([0.5, 0.7, 1.0, 1.5, 1.7, 2.0, 3.0])
        options["scale_factor"] = draw(st.lists(factors, min_size=rank, max_size=rank))
        if draw(st.booleans()):
            options["recompute_scale_factor"] = True
    if "linear" in mode or mode == "bicubic":
        options["align_corners"] = draw(st.booleans())
        if mode in ("bilinear", "bicubic"):
            options["antialias"] = draw(st.booleans())
    data = normal(draw(st.integers(1, 2)), draw(st.sampled_from([1, 3, 8])), *sizes)
    name = f"{tuple(data.shape)} {options}"
    return Case(name, lambda x: F.interpolate(x, **options), (data,))


@given(lists_of(resizes(), 32))
@many
def test_resizing(cases: list[Case]) -> None:
    check(cases)


def test_bytes() -> None:
    """Bytes are resized by weights of 16 bits, each axis rounded."""
    few = torch.randint(0, 256, (2, 3, 9, 11), generator=torch.Generator().manual_seed(0))
    maps = few.to(torch.uint8)
    check(
        [
            Case(
                f"{mode} {antialias} {align} {size}",
                partial(
                    F.interpolate,
                    size=size,
                    mode=mode,
                    align_corners=align,
                    antialias=antialias,
                ),
                (maps,),
            )
            for mode in ("bilinear", "bicubic")
            for antialias in (False, True)
            for align in (False, True)
            for size in ((5, 4), (14, 20), (9, 6))
        ]
    )
