"""Resizing on a GPU against torch."""

from __future__ import annotations

import pytest
from gpu_kernels import check, needs_runner
from torch import nn


def resized(mode: str, *after: nn.Module) -> nn.Module:
    return nn.Sequential(nn.MaxPool2d(1), nn.Upsample(scale_factor=2, mode=mode), *after)


@needs_runner
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("channels", [3, 8, 10])
def test_maps(mode: str, channels: int) -> None:
    check(resized(mode), (2, channels, 5, 7), "resample")


@needs_runner
def test_with_an_activation() -> None:
    check(resized("bilinear", nn.GELU()), (1, 16, 6, 6), "resample")


@needs_runner
@pytest.mark.parametrize(
    ("mode", "shape"),
    [("linear", (1, 3, 9)), ("bilinear", (1, 3, 9, 9)), ("trilinear", (1, 2, 3, 4, 5))],
)
def test_the_innermost_axis(mode: str, shape: tuple[int, ...]) -> None:
    check(nn.Upsample(scale_factor=2, mode=mode), shape, "resample")
