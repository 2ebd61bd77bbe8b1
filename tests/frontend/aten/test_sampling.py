"""Maps at places that tensors say, against torch, and against a definition in numpy."""

from __future__ import annotations

import math

import numpy as np
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


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_a_place_that_is_no_number(mode: str, padding: str) -> None:
    grid = torch.zeros(1, 1, 4, 2)
    grid[0, 0, 1, 0], grid[0, 0, 2, 1] = math.nan, math.nan
    maps = torch.arange(1.0, 61.0).reshape(1, 3, 4, 5)
    compare(lambda x, g: F.grid_sample(x, g, mode, padding, False), maps, grid)


_library = torch.library.Library("torchvision", "FRAGMENT")
if not hasattr(torch.ops.torchvision, "roi_align"):  # else torchvision's own
    _library.define(
        "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, "
        "SymInt pooled_width, int sampling_ratio, bool aligned) -> Tensor"
    )

    @torch.library.impl(_library, "roi_align", "CompositeExplicitAutograd")
    def _(
        maps: torch.Tensor,
        rois: torch.Tensor,
        spatial_scale: float,
        pooled_height: int,
        pooled_width: int,
        sampling_ratio: int,
        aligned: bool,
    ) -> torch.Tensor:
        shape = (rois.shape[0], maps.shape[1], pooled_height, pooled_width)
        if maps.device.type == "meta" or isinstance(maps, torch._subclasses.FakeTensor):
            return maps.new_empty(shape)
        result = np.zeros(shape, np.float32)
        for number, (image, *corners) in enumerate(rois.double().numpy()):
            scaled = np.array(corners) * spatial_scale - (0.5 if aligned else 0)
            result[number] = _aligned(
                maps[int(image)].numpy(), scaled, shape[2:], sampling_ratio, aligned
            )
        return torch.from_numpy(result)


def _aligned(
    maps: np.ndarray, box: np.ndarray, bins: tuple[int, int], samples: int, aligned: bool
) -> np.ndarray:
    """Return the means over the bins of a box: K. He et al., Mask R-CNN (ICCV 2017), section 3.

    Each bin has samples at even distances, bilinear of the four elements around. One that is more
    than an element outside is zero; one on the rim is that of the rim.
    """
    size = box[2:] - box[:2]
    size = size if aligned else np.maximum(size, 1)
    result = np.zeros((len(maps), *bins))
    for row, column, i, j in np.ndindex(*bins, samples, samples):
        x = box[0] + (column + (j + 0.5) / samples) * size[0] / bins[1]
        y = box[1] + (row + (i + 0.5) / samples) * size[1] / bins[0]
        result[:, row, column] += _bilinear(maps, y, x) / samples**2
    return result


def _bilinear(maps: np.ndarray, y: float, x: float) -> np.ndarray:
    _, height, width = maps.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(len(maps))
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = maps[:, top, left] * (1 - x + left) + maps[:, top, right] * (x - left)
    lower = maps[:, bottom, left] * (1 - x + left) + maps[:, bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(("bins", "samples"), [((7, 7), 2), ((3, 4), 1), ((1, 2), 3)])
def test_roi_align(bins: tuple[int, int], samples: int, aligned: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 5, 13, 17, generator=generator)
    rois = torch.tensor(
        [
            [0, 3.3, 4.1, 40.2, 30.7],
            [1, -30, -20, 25, 18],  # begins outside
            [1, 50, 30, 90, 80],  # ends outside
            [0, 400, 400, 500, 500],  # lies outside
            [0, 20, 20, 20.5, 20.5],  # less than an element
            [1, 60, 44, 67.9, 51.9],  # the last corner
        ]
    )
    kernels = compare(
        lambda x, r: torch.ops.torchvision.roi_align(x, r, 0.25, *bins, samples, aligned),
        maps,
        rois,
        tolerance=1e-5,
    )
    assert kernels["rows"] == ["roi_align"]
