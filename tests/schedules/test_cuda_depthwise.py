"""Depthwise convolutions on a GPU against torch, and what makes their kernels fast."""

from __future__ import annotations

import math

import pytest
import torch
from gpu_kernels import GPUS, MOST_REGISTERS, check, needs_nvcc, needs_runner, usage
from hypothesis import given, settings
from hypothesis import strategies as st
from layers_of_each_kind import conv
from torch import nn

from tvmlcnn.ops import Window
from tvmlcnn.schedules.cuda.depthwise import tiles
from tvmlcnn.schedules.cuda.map_blocks import map_blocks
from tvmlcnn.schedules.cuda.threads import WARP, block_sizes

few = settings(max_examples=8, deadline=None, derandomize=True)


def depthwise(width: int, kernel: object, *args: object) -> nn.Conv2d:
    return nn.Conv2d(width, width, kernel, *args, groups=width)  # type: ignore[arg-type]


@needs_runner
@few
@given(
    width=st.sampled_from([8, 14, 24, 29, 40]),
    kernel=st.sampled_from([3, 5, 7]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    rows=st.integers(7, 16),
    columns=st.integers(7, 34),
    batch=st.integers(1, 2),
)
def test_shapes(
    width: int, kernel: int, stride: int, padding: int, rows: int, columns: int, batch: int
) -> None:
    conv = depthwise(width, kernel, stride, padding)
    net = nn.Sequential(conv, nn.BatchNorm2d(width), nn.Hardswish())
    check(net, (batch, width, rows, columns), "depthwise")


@needs_runner
@few
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    dilation=st.integers(1, 3),
    rows=st.integers(10, 12),
    columns=st.integers(10, 18),
)
def test_kernels_that_are_not_square(
    kernel: tuple[int, int],
    padding: tuple[int, int],
    dilation: int,
    rows: int,
    columns: int,
) -> None:
    check(depthwise(16, kernel, (2, 1), padding, dilation), (1, 16, rows, columns), "depthwise")


@needs_runner
@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_kernel_as_large_as_the_map(size: int) -> None:
    check(depthwise(48, size, 1, 0), (1, 48, size, size), "depthwise")


@needs_runner
def test_a_kernel_much_larger_than_a_tile() -> None:
    check(depthwise(8, 13, 1, 6), (1, 8, 9, 20), "depthwise")


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = depthwise(width, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu6(x + self.conv(x))


@needs_runner
@pytest.mark.parametrize("size", [1, 7, 13, 56])
def test_residual(size: int) -> None:
    check(Residual(24), (1, 24, size, size), "depthwise")


class Scaled(nn.Module):
    """A depthwise convolution whose map is as large as its channels' scales are spread over."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = depthwise(16, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.conv(x))


@needs_runner
def test_scales_that_are_spread_over_a_map() -> None:
    check(Scaled(), (1, 16, 7, 7), "depthwise")


@needs_nvcc
@pytest.mark.parametrize(
    ("kernel", "stride", "width", "size"),
    [(3, 1, 96, 56), (3, 2, 96, 112), (3, 1, 58, 28), (5, 1, 240, 14), (7, 1, 64, 56)],
)
def test_all_is_in_registers(kernel: int, stride: int, width: int, size: int) -> None:
    net = nn.Sequential(depthwise(width, kernel, stride, kernel // 2), nn.Hardswish()).eval()
    for name, used in usage(net, (1, width, size, size)).items():
        assert used.spilled == 0, name
        assert used.registers <= MOST_REGISTERS, name


@pytest.mark.parametrize("name", GPUS)
@pytest.mark.parametrize(
    ("size", "stride", "width"),
    [(112, 1, 32), (56, 2, 144), (28, 1, 192), (28, 1, 58), (14, 1, 384), (7, 1, 960)],
)
def test_the_map_is_for_all_multiprocessors(name: str, size: int, stride: int, width: int) -> None:
    """Two warps for each scheduler, or a thread for as few elements as a vector has."""
    layer = conv(
        (1, size, size, width), (3, 3, 1, width), Window((stride, stride), (1,) * 4), groups=width
    )
    device = GPUS[name]
    tile = tiles(layer, device)[0]
    threads = math.prod(tile.counts(layer.shape))
    one = tile.rows * tile.columns * tile.lanes <= 4
    assert threads >= device.multiprocessors * 4 * WARP * 1.5 or one
    assert width % tile.lanes == 0
    block = map_blocks(layer.shape, tile, (3, 3), layer.window, layer.element, device)[0]
    sides = zip(tile.counts(layer.shape), (block.rows, block.columns, block.channels), strict=True)
    assert all(tiles % threads == 0 for tiles, threads in sides)
    assert block.threads <= 256
    # Warps are full, and a block's channels are read by whole sectors.
    assert -(-block.threads // WARP) * WARP <= 1.34 * block.threads
    assert block.channels * tile.lanes >= 8


@pytest.mark.parametrize("threads", [48, 1421, 2842, 4093, 12544])
def test_warps_are_full(threads: int) -> None:
    size = block_sizes(threads)[0]
    assert size <= 256
    idle = math.ceil(threads / size) * math.ceil(size / WARP) * WARP / threads
    assert idle <= 1.34
