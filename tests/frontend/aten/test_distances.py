"""Distances between pairs of vectors against torch."""

from __future__ import annotations

import math

import pytest
import torch
from against_torch import compare


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, math.inf])
def test_cdist(p: float) -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(2, 6, 4, generator=generator)
    second = torch.randn(2, 5, 4, generator=generator)
    second[0, 0] = first[0, 0]
    compare(lambda a, b: torch.cdist(a, b, p), first, second, tolerance=2e-6)
