"""Convolutions and products on GPUs, as implicit GEMM, against torch; PoCL runs the kernels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from gpu_kernels import CUDA, ChannelsApart, cuda_of, needs_nvcc, needs_runner, usage
from hypothesis import given, settings
from hypothesis import strategies as st
from layers_of_each_kind import conv
from named_rule import NamedRule
from networks import relative_error
from torch import nn

from tvmlcnn.schedules import planned
from tvmlcnn.schedules.decisions import DEFAULTS
from tvmlcnn.targets import DEVICES

pytestmark = needs_runner
ORIN = DEVICES["jetson-orin-nano"]


@settings(max_examples=12, deadline=None)
@given(
    batch=st.integers(1, 2),
    groups=st.sampled_from([1, 1, 2]),
    inner=st.integers(1, 40),
    outer=st.integers(1, 40),
    kernel=st.sampled_from([1, 1, 3, 5]),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    size=st.integers(9, 14),
    asynchronous=st.booleans(),
)
def test_any_convolution(
    batch: int,
    groups: int,
    inner: int,
    outer: int,
    kernel: int,
    stride: int,
    dilation: int,
    size: int,
    asynchronous: bool,
) -> None:
    convolution = nn.Conv2d(
        groups * inner,
        groups * outer,
        kernel,
        stride,
        kernel // 2,
        dilation if kernel < 5 else 1,
        groups,
    )
    net = nn.Sequential(convolution, nn.Hardswish())
    device = ORIN if asynchronous else CUDA
    shape = (batch, groups * inner, size, size + 1)
    wide = groups == 1 and inner > 4
    policy = NamedRule("implicit_gemm") if wide else DEFAULTS
    error, kernels = relative_error(net, shape, device, policy)
    assert error < 1e-5
    if wide:
        assert kernels["implicit_gemm"] == 1


def test_channels_that_lie_apart() -> None:
    """Planes, tables, what is applied before, and a residual after."""
    by_rule = NamedRule("implicit_gemm")
    error, kernels = relative_error(ChannelsApart(), (1, 24, 10, 10), CUDA, by_rule)
    assert error < 1e-5
    assert kernels["implicit_gemm"] >= 3


class Chosen(nn.Module):
    """A convolution of some channels of a map, in any order."""

    def __init__(self, chosen: list[int], kernel: int) -> None:
        super().__init__()
        self.register_buffer("chosen", torch.tensor(chosen), persistent=False)
        self.first = nn.Conv2d(8, 48, 1)
        self.second = nn.Conv2d(len(chosen), 12, kernel, padding=kernel // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x))[:, self.chosen])


@settings(max_examples=8, deadline=None)
@given(
    chosen=st.permutations(range(48)),
    runs=st.integers(1, 20),
    length=st.integers(1, 9),
    kernel=st.sampled_from([1, 3]),
    asynchronous=st.booleans(),
)
def test_any_channels(
    chosen: list[int], runs: int, length: int, kernel: int, asynchronous: bool
) -> None:
    """Of few runs the places are computed, of many they are read."""
    picked = list(dict.fromkeys((first + n) % 48 for first in chosen[:runs] for n in range(length)))
    device = ORIN if asynchronous else CUDA
    net = Chosen(picked, kernel)
    error, kernels = relative_error(net, (1, 8, 9, 10), device, NamedRule("implicit_gemm"))
    assert error < 1e-5
    assert kernels["implicit_gemm"] == 2


def test_few_tiles_are_cut_along_the_reduction() -> None:
    """Several blocks sum up parts, which a second launch adds."""
    layer = conv((1, 7, 7, 960), (1, 1, 960, 32))
    assert planned(layer, ORIN).layout.tile.parts > 1
    net = nn.Sequential(nn.Conv2d(960, 32, 1), nn.ReLU())
    error, _ = relative_error(net, (1, 960, 7, 7), ORIN)
    assert error < 1e-5


class Sharing(NamedRule):
    """Decides for tiles whose threads share the reduction of a sum."""

    def choose(self, name: str, ranked: Sequence[Any]) -> Any:
        sharing = [tile for tile in ranked if tile.shares > 1] if name == "tile" else ranked
        return super().choose(name, sharing or ranked)


@settings(max_examples=8, deadline=None)
@given(
    inner=st.sampled_from([32, 45, 96, 160]),
    outer=st.sampled_from([5, 12, 20, 40]),
    groups=st.integers(1, 3),
    kernel=st.sampled_from([1, 3]),
    size=st.integers(3, 14),
    way=st.integers(0, 200),
    asynchronous=st.booleans(),
)
def test_threads_share_the_reduction(
    inner: int, outer: int, groups: int, kernel: int, size: int, way: int, asynchronous: bool
) -> None:
    """They add up their shares in shared memory, whatever is left over of a block."""
    convolution = nn.Conv2d(groups * inner, groups * outer, kernel, 1, kernel // 2, groups=groups)
    net = nn.Sequential(convolution, nn.Hardswish())
    device = ORIN if asynchronous else CUDA
    error, _ = relative_error(
        net, (1, groups * inner, size, size + 1), device, Sharing("implicit_gemm", way)
    )
    assert error < 1e-5


def test_groups_of_few_channels_share_the_reduction() -> None:
    """No second launch adds up parts."""
    layer = conv((1, 14, 14, 480), (1, 1, 160, 120), groups=3)
    tile = planned(layer, ORIN).layout.tile
    assert tile.shares > 1
    assert tile.parts == 1
    code = cuda_of(nn.Conv2d(480, 120, 1, groups=3), (1, 480, 14, 14), ORIN)
    copies = [line for line in code.splitlines() if re.match(r"\s*tvmlcnn_copy_16\(", line)]
    assert copies
    # A copy that no thread waits for is of memory, not of registers.
    assert not any("local" in line for line in copies)


LAYERS = {
    "pointwise": (nn.Conv2d(96, 576, 1), (1, 96, 14, 14)),
    "3x3": (nn.Conv2d(64, 64, 3, padding=1), (1, 64, 28, 28)),
    "first": (nn.Conv2d(3, 32, 3, 2, 1), (1, 3, 96, 96)),
    "few tiles": (nn.Conv2d(960, 32, 1), (1, 960, 7, 7)),
}


@needs_nvcc
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("target", ["cuda", "jetson-orin-nano"])
def test_two_blocks_fit_a_multiprocessor(name: str, target: str) -> None:
    gpu, (module, shape) = DEVICES[target], LAYERS[name]
    for kernel in usage(nn.Sequential(module, nn.ReLU6()), shape, gpu).values():
        assert kernel.spilled == 0
        assert 2 * kernel.registers * kernel.threads <= gpu.registers
        assert 2 * kernel.shared <= gpu.shared_of_multiprocessor


def test_asynchronous_copies() -> None:
    """From sm_80 on no thread waits for what is copied to shared memory."""
    assert "cp.async" in cuda_of(*LAYERS["3x3"], ORIN)
    assert "cp.async" not in cuda_of(*LAYERS["3x3"], CUDA)
