"""Normalization by stored statistics and by the input's, with and without weights."""

from __future__ import annotations

import torch
from drawn import check, lists_of, many, normal
from hypothesis import given
from hypothesis import strategies as st
from together import Case
from torch.nn import functional as F


@st.composite
def normalizations(draw: st.DrawFn) -> Case:
    kind = draw(st.sampled_from(["batch", "instance", "group", "layer", "rms"]))
    groups, each = draw(st.sampled_from([1, 2, 3])), draw(st.sampled_from([1, 2, 8]))
    channels = groups * each
    sizes = draw(st.lists(st.integers(2, 6), min_size=1, max_size=3))
    # Far from zero, where a variance from sums of squares would be lost.
    data = normal(draw(st.integers(1, 2)), channels, *sizes) + draw(st.sampled_from([0.0, 30.0]))
    affine, eps = draw(st.booleans()), draw(st.sampled_from([1e-5, 1e-3]))
    last = draw(st.integers(1, len(sizes)))
    shape = list(data.shape[-last:]) if kind in ("layer", "rms") else [channels]
    weight = normal(*shape, seed=1) if affine else None
    bias = normal(*shape, seed=2) if affine and draw(st.booleans()) else None
    mean, variance = normal(channels, seed=3), torch.rand(channels) + 0.5

    def normalize(x: torch.Tensor) -> torch.Tensor:
        if kind == "batch":
            return F.batch_norm(x, mean, variance, weight, bias, eps=eps)
        if kind == "instance":
            return F.instance_norm(x, weight=weight, bias=bias, eps=eps)
        if kind == "group":
            return F.group_norm(x, groups, weight, bias, eps)
        if kind == "layer":
            return F.layer_norm(x, shape, weight, bias, eps)
        return F.rms_norm(x, shape, weight, eps)

    name = f"{kind} {tuple(data.shape)} {shape} {groups} {weight is None} {bias is None} {eps}"
    return Case(f"{name} {float(data.mean()):.0f}", normalize, (data,))


@given(lists_of(normalizations(), 32))
@many
def test_normalization(cases: list[Case]) -> None:
    check(cases)
