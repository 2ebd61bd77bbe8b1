"""Grouped convolutions against torch over many shapes, and what makes their kernels fast."""

from __future__ import annotations

import re

import pytest
from conftest import randomized
from cores import CPUS, core_of
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import assembly, relative_error
from torch import nn

from tvmlcnn.schedules.cpu import grouped_tiles as tiles
from tvmlcnn.targets import DEVICES, resolve

X86 = DEVICES["x86"].with_cores(2)
few = settings(max_examples=12, deadline=None, derandomize=True)
groups = st.sampled_from([2, 3, 4, 8])


def check(module: nn.Module, shape: tuple[int, ...], *rules: str) -> None:
    error, kernels = relative_error(randomized(module), shape, X86)
    assert error < 1e-5
    assert kernels.keys() & set(rules or ("grouped",)), kernels


@few
@given(
    groups=groups,
    size=st.sampled_from([4, 8, 16, 32]),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 2),
    height=st.integers(5, 9),
    width=st.integers(5, 15),
    batch=st.integers(1, 2),
)
def test_square_groups(
    groups: int,
    size: int,
    stride: int,
    padding: int,
    dilation: int,
    height: int,
    width: int,
    batch: int,
) -> None:
    channels = 2 * groups * size
    conv = nn.Conv2d(channels, channels, 3, stride, padding, dilation, groups=2 * groups)
    net = nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())
    check(net, (batch, channels, height, width))


@few
@given(
    groups=groups,
    inner=st.integers(1, 20),
    outer=st.sampled_from([4, 12, 16, 20, 24, 28, 36, 40, 68]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
)
def test_pointwise(groups: int, inner: int, outer: int, height: int, width: int) -> None:
    net = nn.Sequential(nn.Conv2d(groups * inner, groups * outer, 1, groups=groups), nn.ReLU6())
    # Groups of very few channels are one convolution with zeros between.
    check(net, (1, groups * inner, height, width), "grouped", "dense")


@few
@given(groups=groups, inner=st.integers(1, 5), outer=st.integers(1, 9), width=st.integers(3, 9))
def test_any_channels(groups: int, inner: int, outer: int, width: int) -> None:
    net = nn.Conv2d(groups * inner, groups * outer, 3, padding=1, groups=groups)
    error, _ = relative_error(net, (1, groups * inner, 5, width), X86)
    assert error < 1e-5


def test_two_groups_of_alexnet() -> None:
    check(nn.Conv2d(16, 64, 5, padding=2, groups=2), (1, 16, 13, 13))


def test_this_machine_s_vectors() -> None:
    device = resolve("native")
    for conv in (nn.Conv2d(64, 64, 3, padding=1, groups=16), nn.Conv2d(60, 120, 1, groups=3)):
        error, kernels = relative_error(conv, (1, conv.in_channels, 9, 7), device)
        assert error < 1e-5
        assert kernels["grouped"] == 1


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(64, 64, 3, padding=1, groups=16),
        nn.Conv2d(64, 64, 3, padding=1, groups=4),
        nn.Conv2d(60, 120, 1, groups=3),
        nn.Conv2d(40, 80, 1, groups=2),
    ],
)
def test_multiply_adds_are_vectors(conv: nn.Conv2d) -> None:
    text = assembly(conv, (1, conv.in_channels, 14, 14), X86)
    assert len(re.findall(r"vfmadd\w+ps\s.*%ymm", text)) >= 8
    assert not re.findall(r"vfmadd\w+ss\s|vmulss\s|vaddss\s", text)


def test_inputs_of_several_groups_need_no_gather() -> None:
    """Vectors in two groups are joined from two broadcasts, not picked element by element."""
    text = assembly(nn.Conv2d(120, 120, 1, groups=6), (1, 120, 14, 14), X86)
    assert not re.findall(r"vpextrd|vgather", text)


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize(("taps", "channels", "groups"), [(9, 128, 32), (9, 512, 32), (1, 240, 3)])
def test_tiles_fit_the_registers(name: str, taps: int, channels: int, groups: int) -> None:
    core = core_of(name)
    tile = tiles.grouped_tiles(28, taps, channels, groups, core)[0]
    assert tile.pixels * tile.vectors + tile.vectors + 1 <= core.vector_registers
    assert channels % tile.channels == 0
    size = channels // groups
    for diagonal in tiles.diagonal_tiles(28, size, channels, core):
        assert (diagonal.pixels + 1) * size + 1 <= core.vector_registers
