"""Pooling on a GPU against torch."""

from __future__ import annotations

import pytest
import torch
from gpu_kernels import GPUS, MOST_REGISTERS, check, needs_nvcc, needs_runner, usage
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tvmlcnn.schedules.cuda.sums import parts_of, sums_side_by_side

few = settings(max_examples=8, deadline=None, derandomize=True)
BEFORE = nn.MaxPool2d(1)
"""Makes data channels-last."""


@needs_runner
@few
@given(
    kind=st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]),
    window=st.tuples(st.integers(2, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    channels=st.sampled_from([3, 8, 14, 29]),
    rows=st.integers(7, 12),
    columns=st.integers(7, 20),
    batch=st.integers(1, 2),
)
def test_windows(
    kind: type,
    window: tuple[int, int],
    stride: int,
    channels: int,
    rows: int,
    columns: int,
    batch: int,
) -> None:
    pool = kind(window, stride, (window[0] // 2, window[1] // 2))
    check(nn.Sequential(pool, nn.Hardswish()), (batch, channels, rows, columns), "pooling")


@needs_runner
@pytest.mark.parametrize("counted", [True, False])
def test_what_counts_as_a_pixel(counted: bool) -> None:
    check(nn.AvgPool2d(3, 2, 1, True, counted), (1, 8, 12, 13), "pooling")


@needs_runner
def test_a_large_window() -> None:
    check(nn.AvgPool2d(9, 9), (1, 8, 27, 18), "pooling")


class Mean(nn.Module):
    def __init__(self, keep: bool) -> None:
        super().__init__()
        self.before, self.keep = BEFORE, keep

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.before(x).mean((2, 3), keepdim=self.keep))


@needs_runner
@few
@given(
    channels=st.sampled_from([1, 8, 16, 29, 58, 64, 96]),
    rows=st.sampled_from([1, 2, 7, 13, 14, 30]),
    columns=st.sampled_from([1, 3, 7, 13]),
    batch=st.integers(1, 3),
    keep=st.booleans(),
)
def test_whole_maps(channels: int, rows: int, columns: int, batch: int, keep: bool) -> None:
    check(Mean(keep), (batch, channels, rows, columns), "pooling", count=2)


class Squeezed(nn.Module):
    """The scales of squeeze and excitation, without what is computed of them."""

    def __init__(self) -> None:
        super().__init__()
        self.before = BEFORE

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.before(x)
        return x * torch.sigmoid(x.mean((2, 3), keepdim=True))


@needs_runner
def test_scales_that_are_spread_over_the_map() -> None:
    check(Squeezed(), (1, 16, 14, 14), "pooling", count=2)


@needs_nvcc
@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.MaxPool2d(3, 2, 1), (1, 64, 112, 112)),
        (Mean(True), (1, 1280, 7, 7)),
        (Mean(True), (1, 16, 56, 56)),
    ],
)
def test_all_is_in_registers(net: nn.Module, shape: tuple[int, ...]) -> None:
    for name, used in usage(net.eval(), shape).items():
        assert used.spilled == 0, name
        assert used.registers <= MOST_REGISTERS, name


@pytest.mark.parametrize("name", ["cuda", "h100"])
@pytest.mark.parametrize("channels", [8, 16, 58, 96, 1280])
@pytest.mark.parametrize("pixels", [1, 49, 196, 3136])
def test_a_map_is_shared_among_threads(name: str, channels: int, pixels: int) -> None:
    device = GPUS[name]
    across = sums_side_by_side(1, channels, device)
    parts = parts_of(pixels, across)[0]
    assert channels % across == 0
    assert across * parts <= 512
    assert pixels // parts <= 64 or across * parts > 256
    # A sector of memory is read whole.
    assert across % 8 == 0 or channels % 8
