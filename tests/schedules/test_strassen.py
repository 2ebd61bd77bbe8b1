"""Strassen's algorithm: against torch over many shapes, when it is chosen, what it compiles to."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from conftest import randomized
from cores import by_lane, cpu
from hypothesis import example, given, settings
from hypothesis import strategies as st
from named_rule import NamedRule
from networks import assembly, compiled, relative_error
from torch import nn

from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.schedules.cpu.strassen_halving import strassen_choice
from tvmlcnn.targets import Cpu

few = settings(max_examples=8, deadline=None, derandomize=True)
channels = st.sampled_from([16, 24, 40, 64])
size = st.integers(1, 20)
X86 = cpu("x86")


def check(
    module: nn.Module, shape: tuple[int, ...], device: Cpu, way: int = 0, kernels: int = 1
) -> None:
    error, by_rule = relative_error(randomized(module), shape, device, NamedRule("strassen", way))
    assert error < 2e-5
    assert by_rule.get("strassen", 0) == kernels, by_rule


@few
@given(
    inner=channels,
    outer=channels,
    height=size,
    width=size,
    stride=st.integers(1, 2),
    batch=st.integers(1, 3),
    cores=st.integers(1, 3),
    way=st.integers(0, 9),
    lane=st.booleans(),
)
@example(inner=64, outer=24, height=7, width=7, stride=1, batch=1, cores=1, way=0, lane=True)
@example(inner=24, outer=64, height=13, width=5, stride=2, batch=3, cores=2, way=1, lane=False)
@example(inner=16, outer=16, height=1, width=2, stride=1, batch=1, cores=2, way=0, lane=True)
def test_many_shapes(
    inner: int,
    outer: int,
    height: int,
    width: int,
    stride: int,
    batch: int,
    cores: int,
    way: int,
    lane: bool,
) -> None:
    """Also where pixels are no whole pairs, and of cores that take a factor from a lane."""
    device = (by_lane(X86) if lane else X86).with_cores(cores)
    net = nn.Sequential(nn.Conv2d(inner, outer, 1, stride=stride), nn.ReLU())
    pixels = batch * -(-height // stride) * -(-width // stride)
    check(net, (batch, inner, height, width), device, way, kernels=int(pixels > 1))


class Residual(nn.Module):
    """What goes before and after a convolution in residual blocks of either kind."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before = nn.BatchNorm2d(width)
        self.conv = nn.Conv2d(width, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu(self.before(x))
        return nn.functional.hardswish(x + self.norm(self.conv(x)))


@few
@given(width=channels, rows=size, columns=size, cores=st.integers(1, 2), way=st.integers(0, 9))
@example(width=64, rows=14, columns=14, cores=1, way=0)
@example(width=40, rows=3, columns=3, cores=2, way=1)
def test_residual(width: int, rows: int, columns: int, cores: int, way: int) -> None:
    kernels = int(rows * columns > 1)
    check(Residual(width), (1, width, rows, columns), X86.with_cores(cores), way, kernels)


class Wired(nn.Module):
    """Two convolutions of one input, and a third of some of their channels."""

    def __init__(self, first: int, count: int) -> None:
        super().__init__()
        self.a, self.b = (nn.Conv2d(4, 64, 3, padding=1) for _ in range(2))
        self.norm = nn.BatchNorm2d(count)
        self.c = nn.Conv2d(count, 64, 1)
        self.first, self.count = first, count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both = torch.cat([self.a(x), self.b(x)], 1)[:, self.first : self.first + self.count]
        return self.c(torch.relu(self.norm(both)))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("first", "count"), [(0, 128), (64, 64), (32, 64), (16, 96)])
def test_channels_of_planes(first: int, count: int, batch: int) -> None:
    check(Wired(first, count), (batch, 4, 9, 9), X86.with_cores(2))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(64, 64, 3, padding=1),
        nn.Conv2d(64, 64, 1, padding=1),
        nn.Conv2d(64, 64, 1, groups=2),
        nn.Conv2d(6, 64, 1),
    ],
)
def test_other_convolutions_are_left_alone(layer: nn.Conv2d) -> None:
    mod = compiled(layer, (1, layer.in_channels, 14, 14), X86, NamedRule("strassen"))
    assert "strassen" not in kernels_by_rule(mod)


def test_products_with_matrices_are_left_alone() -> None:
    mod = compiled(nn.Linear(64, 64), (1, 196, 64), X86, NamedRule("strassen"))
    assert "strassen" not in kernels_by_rule(mod)


@pytest.mark.parametrize("name", ["rpi2", "rpi3", "rpi4", "rpi5"])
def test_it_pays_where_weights_are_used_often(name: str) -> None:
    """A small map waits for its weights, and has few rows to save; one pixel has no pair."""
    device = cpu(name).with_cores(1)
    large = strassen_choice(784, 512, 1024, device)
    assert large is not None
    assert large.pays
    registers = large.halvings[0].registers
    assert (registers.pixels + 1) * registers.vectors + 1 <= device.vector_registers
    small = strassen_choice(4, 512, 1024, device)
    assert small is not None
    assert not small.pays
    assert strassen_choice(1, 512, 512, device) is None


def test_on_x86_it_is_for_a_search_alone() -> None:
    choice = strassen_choice(784, 512, 1024, X86.with_cores(1))
    assert choice is not None
    assert not choice.pays


def test_shallow_products_are_done_as_they_are() -> None:
    """Sums and differences take more than the multiply-adds that they save."""
    for inner, outer in ((16, 96), (96, 24), (32, 64)):
        choice = strassen_choice(784, inner, outer, cpu("rpi4").with_cores(1))
        assert choice is None or not choice.pays


def test_several_cores_share_the_memory() -> None:
    """Weights are read once for all of them: what they save of the work pays later."""
    device = cpu("rpi4")
    one, four = (strassen_choice(98, 512, 1024, device.with_cores(n)) for n in (1, 4))
    assert one is not None
    assert four is not None
    assert one.pays
    assert not four.pays


def test_blocks_fit_the_second_cache() -> None:
    device = cpu("rpi4").with_cores(4)
    choice = strassen_choice(3136, 256, 256, device)
    assert choice is not None
    for halving in choice.halvings:
        assert 7 * halving.block * 128 * 4 <= device.caches[1]


@pytest.mark.parametrize("name", ["rpi3", "rpi4", "rpi5", "android-arm64"])
def test_sums_stay_in_registers(name: str) -> None:
    device = cpu(name).with_cores(1)
    device = replace(device, costs=replace(device.costs, strassen_transform=0))
    text = assembly(nn.Conv2d(256, 256, 1), (1, 256, 14, 14), device)
    loops = re.findall(r"(?m)^(\.LBB\w+):[^\n]*\n((?:(?!\.L).*\n)*?\s+b\.\w+\s+\1)$", text)
    products = [body for _, body in loops if len(re.findall("fmla.*v\\d+\\.s\\[", body)) >= 32]
    assert products
    for body in products:
        assert not re.findall(r"\sst\w+\s", body)
