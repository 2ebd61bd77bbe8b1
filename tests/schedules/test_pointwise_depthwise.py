"""The rule for a pointwise and a depthwise convolution in one kernel, against torch."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import randomized
from cores import CPUS, core_of, cpu
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import assembly, relative_error
from torch import nn

from tvmlcnn.ops import Banding, Formula, Window
from tvmlcnn.schedules import PointwiseDepthwise
from tvmlcnn.schedules.cpu.banding import banding
from tvmlcnn.targets import Core, Cpu
from tvmlcnn.targets.x86 import native

X86 = cpu("x86").with_cores(2)
few = settings(max_examples=8, deadline=None, derandomize=True)
channels = st.sampled_from([8, 16, 24, 40, 48, 88])


def block(inner: int, wide: int, kernel: object, *args: object) -> list[nn.Module]:
    """Return a pointwise and a depthwise convolution with activations, as mobile blocks do."""
    depthwise = nn.Conv2d(wide, wide, kernel, *args, groups=wide)  # type: ignore[arg-type]
    first = [nn.Conv2d(inner, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()]
    return [*first, depthwise, nn.BatchNorm2d(wide)]


def small(device: Cpu, wide: int, shape: tuple[int, ...]) -> Cpu:
    """Return the device with a second cache that holds half the map between the convolutions.

    What is cut is taken whether or not it pays: small maps are enough for the numbers.
    """
    caches = (1 << 10, shape[0] * shape[2] * shape[3] * wide * 2)
    return replace(device, caches=caches, costs=replace(device.costs, fusion_margin=0.0))


def check(module: nn.Module, shape: tuple[int, ...], wide: int, device: Cpu = X86) -> None:
    error, kernels = relative_error(randomized(module), shape, small(device, wide, shape))
    assert error < 1e-5
    assert kernels.get("pointwise_depthwise", 0) >= 1, kernels


@few
@given(
    inner=st.sampled_from([8, 12, 16, 24]),
    wide=channels,
    kernel=st.sampled_from([3, 5, 7]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    rows=st.integers(20, 26),
    columns=st.integers(7, 17).map(lambda half: 2 * half),
    batch=st.integers(1, 2),
)
def test_shapes(
    inner: int,
    wide: int,
    kernel: int,
    stride: int,
    padding: int,
    rows: int,
    columns: int,
    batch: int,
) -> None:
    net = nn.Sequential(*block(inner, wide, kernel, stride, padding), nn.ReLU6())
    check(net, (batch, inner, rows, columns), wide)


@few
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    dilation=st.integers(1, 3),
    rows=st.integers(12, 20),
    columns=st.integers(10, 18),
)
def test_kernels_that_are_not_square(
    kernel: tuple[int, int], padding: tuple[int, int], dilation: int, rows: int, columns: int
) -> None:
    net = nn.Sequential(*block(16, 48, kernel, (2, 1), padding, dilation))
    check(net, (1, 16, rows, columns), 48)


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Hardswish, nn.Identity, nn.Hardsigmoid])
def test_activations_between(activation: type[nn.Module]) -> None:
    layers = block(16, 48, 3, 1, 1)
    check(nn.Sequential(*layers[:2], activation(), *layers[3:]), (1, 16, 20, 20), 48)


class SqueezeExcite(nn.Module):
    """A residual block with a squeeze-and-excitation after the depthwise convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Sequential(*block(16, 48, 5, 1, 2), nn.Hardswish())
        self.scale = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(48, 48, 1), nn.Hardsigmoid())
        self.narrow = nn.Conv2d(48, 16, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.wide(x)
        return x + self.narrow(wide * self.scale(wide))


def test_squeeze_and_excitation() -> None:
    check(SqueezeExcite(), (1, 16, 20, 20), 48)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.Sequential(*block(48, 48, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu6(x + self.convs(x))


@pytest.mark.parametrize("size", [7, 13, 20])
def test_residual(size: int) -> None:
    check(Residual(), (1, 48, size, size), 48)


def test_this_machine_s_vectors() -> None:
    net = nn.Sequential(*block(16, 48, 3, 2, 1))
    check(net, (1, 16, 21, 19), 48, native())


@pytest.mark.parametrize("width", [28, 13])
def test_only_vectors_are_multiplied(width: int) -> None:
    shape = (1, 16, width, width)
    text = assembly(nn.Sequential(*block(16, 64, 3, 1, 1)), shape, small(X86, 64, shape))
    assert len(re.findall(r"vfmadd\w+ps\s.*%ymm", text)) >= 2 * 9
    assert not re.findall(r"vfmadd\w+ss\s|vmulss\s|vaddss\s", text)


# Sides of the map, channels of the input and of the output, kernel, stride.
WIDE, SMALL = (112, 16, 96, 3, 2), (7, 64, 384, 3, 1)
SHAPES = [WIDE, (56, 24, 144, 3, 1), (56, 24, 72, 5, 2), (28, 32, 192, 3, 1), (14, 512, 512, 3, 1)]


def estimated(
    size: int, inner: int, wide: int, kernel: int, stride: int, core: Core
) -> Banding | None:
    window = Window((stride, stride), (kernel // 2,) * 4)
    out = (size - 1) // stride + 1
    shape = (1, out, out, wide)
    layer = PointwiseDepthwise(
        core.element,
        (1, size, size, inner),
        np.zeros((inner, wide), np.float32),
        Formula(()),
        [],
        np.zeros((kernel, kernel, wide), np.float32),
        shape,
        window,
    )
    return banding(layer, core)


@pytest.mark.parametrize("name", CPUS)
def test_the_widest_map_is_cut_and_one_that_a_cache_holds_is_not(name: str) -> None:
    core = core_of(name)
    eager = replace(core, costs=replace(core.costs, fusion_margin=1.0))
    assert estimated(*WIDE, eager) is not None
    assert estimated(*SMALL, eager) is None


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("shape", SHAPES)
def test_pieces_fit_the_second_cache_and_tiles_the_registers(
    name: str, shape: tuple[int, int, int, int, int]
) -> None:
    core = core_of(name)
    pieces = estimated(*shape, core)
    if pieces is None:
        return
    size, _, wide, kernel, stride = shape
    rows = min(size, (pieces.rows - 1) * stride + kernel)
    assert rows * size * pieces.channels * 4 < core.caches[1]
    assert pieces.channels % pieces.pointwise.channels == 0
    assert wide % pieces.depthwise.channels == 0
    for tile in (pieces.pointwise, pieces.depthwise):
        assert tile.pixels * tile.vectors + tile.vectors + 1 <= core.vector_registers
