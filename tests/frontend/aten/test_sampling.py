"""Maps at places that tensors say, against torch, and against a definition in numpy."""

from __future__ import annotations

import pytest
import torch
from against_torch import compare
from torch.nn import functional as F


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode: str, padding: str, align: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, 9, 13, generator=generator)
    grid = torch.randn(2, 5, 7, 2, generator=generator)
    grid[0, 0, :3] = torch.tensor([[50.0, 1.0], [-3e4, 0.0], [-1.0, 1.0]])

    def sample(x: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return F.grid_sample(x, g, mode, padding, align)

    # Far outside a coordinate has few digits after the point.
    kernels = compare(sample, maps, grid, tolerance=2e-5)
    assert kernels["rows"] == ["grid_sample"]
    if mode != "bicubic":
        volumes = torch.randn(1, 2, 5, 6, 7, generator=generator)
        compare(sample, volumes, torch.randn(1, 3, 4, 5, 3, generator=generator), tolerance=2e-5)


def test_spatial_transformer() -> None:
    def transform(x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)

    compare(transform, torch.randn(2, 16, 9, 13), torch.randn(2, 2, 3), tolerance=2e-5)
