"""Scaled dot-product attention against torch."""

from __future__ import annotations

import pytest
import torch
from against_torch import compare
from torch.nn.functional import scaled_dot_product_attention as attention

GENERATOR = torch.Generator().manual_seed(0)
QUERY, KEY, VALUE = (torch.randn(2, 4, n, 8, generator=GENERATOR) for n in (6, 10, 10))
SOME = torch.rand(6, 10, generator=GENERATOR) > 0.5
NOTHING = SOME.clone()
NOTHING[2] = False
MASKS = {
    "none": None,
    "bool": SOME | torch.eye(6, 10, dtype=torch.bool),
    "row of nothing": NOTHING,
    "of each head": torch.rand(4, 6, 10, generator=GENERATOR) > 0.2,
    "bias": torch.randn(4, 6, 10, generator=GENERATOR),
    "infinite bias": torch.where(NOTHING, 0.5, -torch.inf),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks(name: str) -> None:
    compare(lambda q, k, v: attention(q, k, v, MASKS[name]), QUERY, KEY, VALUE)


def test_mask_that_is_computed() -> None:
    compare(lambda q, k, v: attention(q, k, v, q @ k.mT > 2), QUERY, KEY, VALUE)


@pytest.mark.parametrize("scale", [None, 0.3])
def test_causal(scale: float | None) -> None:
    compare(lambda k, v: attention(k, k, v, is_causal=True, scale=scale), KEY, VALUE)


def test_keys_that_heads_share() -> None:
    two = KEY[:, :2], VALUE[:, :2]
    compare(lambda q, k, v: attention(q, k, v, enable_gqa=True), QUERY, *two)


def test_without_a_mask_nothing_is_asked_of_rows() -> None:
    kernels = compare(lambda q, k, v: attention(q, k, v), QUERY, KEY, VALUE)
    assert set(kernels) <= {"batched_product", "softmax", "default"}
    assert not any("where" in name or "max" in name for name in kernels["default"])
