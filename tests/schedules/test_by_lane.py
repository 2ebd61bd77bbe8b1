"""One load for several steps of a sum, each of which multiplies by a lane of it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import randomized
from cores import by_lane, core_of, cpu
from hypothesis import example, given, settings
from hypothesis import strategies as st
from networks import assembly, relative_error
from torch import nn

from tvmlcnn.schedules.cpu.channel_reads import channel_reads
from tvmlcnn.targets import Cpu

HERE = by_lane(cpu("x86")).with_cores(2)
few = settings(max_examples=6, deadline=None, derandomize=True)
size = st.integers(1, 9)


def check(module: nn.Module, shape: tuple[int, ...], rule: str, device: Cpu = HERE) -> None:
    error, kernels = relative_error(randomized(module), shape, device)
    assert error < 2e-5
    assert kernels.get(rule, 0) >= 1, kernels


@pytest.mark.parametrize("target", ["rpi3", "rpi4", "rpi5"])
def test_cores_that_take_a_lane(target: str) -> None:
    core = core_of(target)
    assert [core.steps_of_a_load(n) for n in (64, 58, 29)] == [4, 2, 1]
    assert core_of("x86").steps_of_a_load(64) == core_of("rpi2").steps_of_a_load(64) == 1


@few
@given(
    inner=st.integers(1, 40),
    outer=st.sampled_from([1, 8, 12, 24, 29, 40, 64]),
    kernel=st.sampled_from([1, 1, 2, 3]),
    stride=st.integers(1, 2),
    padding=st.integers(0, 2),
    height=size,
    width=size,
    batch=st.integers(1, 2),
)
@example(inner=8, outer=8, kernel=1, stride=1, padding=0, height=1, width=1, batch=1)
@example(inner=58, outer=58, kernel=1, stride=1, padding=0, height=7, width=7, batch=1)
def test_dense(
    inner: int,
    outer: int,
    kernel: int,
    stride: int,
    padding: int,
    height: int,
    width: int,
    batch: int,
) -> None:
    side = kernel - 1
    conv = nn.Conv2d(inner, outer, kernel, stride, padding)
    net = nn.Sequential(conv, nn.BatchNorm2d(outer), nn.ReLU6())
    check(net, (batch, inner, height + side, width + side), "dense")


@few
@given(
    inner=st.integers(1, 4),
    outer=st.sampled_from([8, 24, 29, 32]),
    kernel=st.tuples(st.integers(1, 7), st.integers(2, 11)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 2), st.sampled_from([1, 1, 1, 2])),
    side=st.integers(0, 30),
    batch=st.integers(1, 2),
)
@example(3, 64, (3, 3), (2, 2), (0, 0), (1, 1), 62, 1)
@example(3, 64, (7, 7), (2, 2), (3, 3), (1, 1), 58, 2)
@example(1, 8, (1, 5), (1, 1), (0, 0), (1, 1), 0, 1)
def test_rows_of_taps_of_channels_first_maps(
    inner: int,
    outer: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    side: int,
    batch: int,
) -> None:
    conv = nn.Conv2d(inner, outer, kernel, stride, padding, dilation)
    height, width = (
        side + (taps - 1) * apart + 1 for taps, apart in zip(kernel, dilation, strict=True)
    )
    check(nn.Sequential(conv, nn.ReLU()), (batch, inner, height, width), "dense")


class Normalized(nn.Module):
    """Normalizes before it multiplies, as DenseNet does: a prologue, whose results are a panel."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.before = nn.Conv2d(8, inner, 1)
        self.norm = nn.BatchNorm2d(inner)
        self.conv = nn.Conv2d(inner, outer, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.before(x)
        return torch.cat([wide, self.conv(torch.relu(self.norm(wide)))], 1)


@few
@given(inner=st.sampled_from([8, 12, 58, 96]), outer=st.sampled_from([16, 32]), side=size)
@example(inner=96, outer=32, side=9)
def test_prologue(inner: int, outer: int, side: int) -> None:
    check(Normalized(inner, outer), (1, 8, side, side), "dense")


@few
@given(rows=st.integers(1, 9), inner=st.integers(1, 70), outer=st.integers(1, 70))
def test_product(rows: int, inner: int, outer: int) -> None:
    check(nn.Sequential(nn.Linear(inner, outer), nn.ReLU()), (rows, inner), "dense")


class Shuffled(nn.Module):
    """Reads half of the channels of two convolutions, which lie in two planes."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(8, width, 1)
        self.second = nn.Conv2d(8, width, 1)
        self.shuffle = nn.ChannelShuffle(groups)
        self.last = nn.Conv2d(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        joined = self.shuffle(torch.cat([self.first(x), self.second(x)], 1))
        return self.last(joined[:, joined.shape[1] // 2 :])


@few
@given(half=st.integers(2, 34), groups=st.sampled_from([2, 4]), side=size)
@example(half=29, groups=2, side=7)
def test_channels_of_several_planes(half: int, groups: int, side: int) -> None:
    check(Shuffled(2 * half, groups), (1, 8, side, side), "dense")


@few
@given(
    inner=st.sampled_from([24, 36, 40]), outer=st.sampled_from([32, 40]), side=st.integers(24, 30)
)
def test_winograd(inner: int, outer: int, side: int) -> None:
    # Where weights cost nothing to read, these pay.
    eager = replace(HERE, clock_ghz=1e-3, bandwidth_gbs=1e9)
    check(nn.Conv2d(inner, outer, 3, padding=1), (1, inner, side, side), "winograd", eager)


@few
@given(
    inner=st.sampled_from([10, 16, 17]),
    wide=st.sampled_from([96, 120]),
    stride=st.integers(1, 2),
)
def test_pointwise_before_depthwise(inner: int, wide: int, stride: int) -> None:
    net = nn.Sequential(
        nn.Conv2d(inner, wide, 1),
        nn.ReLU6(),
        nn.Conv2d(wide, wide, 3, stride, 1, groups=wide),
    )
    check(net, (1, inner, 56, 56), "pointwise_depthwise")


@few
@given(
    runs=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), min_size=1, max_size=5),
    wide=st.integers(30, 60),
    seed=st.integers(0, 9),
)
@example(runs=[(29, 29), (29, 31)], wide=60, seed=0)
def test_loads_of_runs(runs: list[tuple[int, int]], wide: int, seed: int) -> None:
    """Each channel is counted once, and what a load brings lies together, in one plane."""
    reads: list[int] = []
    at = 0
    for length, gap in runs:
        reads += range(at, at + length)
        at += length + gap
    shuffled = np.random.default_rng(seed).permutation(reads)
    found = channel_reads(shuffled, wide, core_of("rpi4"))
    counted = np.zeros(len(reads))
    np.add.at(counted, found.order, found.share)
    assert (counted == 1).all()
    loads = shuffled[found.order].reshape(-1, found.a_load)
    assert (np.diff(loads) == 1).all()
    assert (loads[:, 0] // wide == loads[:, -1] // wide).all()
    assert len(found.order) <= len(reads) * (1 + 1 / 24)


def test_a_channel_of_two_loads_may_be_infinite() -> None:
    """A weight of zero for one of the two would make NaN of it."""
    found = channel_reads(np.arange(29 * 2), 58, core_of("rpi4"))
    assert sorted(set(found.share)) == [0.5, 1]


@pytest.mark.parametrize(
    ("conv", "shape", "target"),
    [
        (nn.Conv2d(96, 24, 1), (1, 96, 56, 56), "rpi3"),
        (nn.Conv2d(64, 384, 1), (1, 64, 14, 14), "rpi3"),
        (nn.Conv2d(64, 384, 1), (1, 64, 14, 14), "rpi4"),
        (nn.Conv2d(116, 116, 1), (1, 116, 14, 14), "rpi4"),
        (nn.Conv2d(64, 96, 3, 2, 1), (1, 64, 28, 28), "rpi5"),
        (nn.Conv2d(64, 64, 3, 1, 1), (1, 64, 28, 28), "rpi5"),
    ],
)
def test_the_hot_loop_loads_few_vectors(
    conv: nn.Conv2d, shape: tuple[int, ...], target: str
) -> None:
    """Read from the code: multiply-adds by lane, a load for four of them, none of the stack."""
    text = assembly(conv, shape, cpu(target).with_cores(1))
    blocks = re.split(r"^\.L\w+:|^\s+(?:b|b\.\w+|cbn?z|tbn?z)\s.*$", text, flags=re.M)
    hot = max(blocks, key=lambda block: block.count("fmla"))
    lanes = re.findall(r"fmla\s+v\d+\.4s, v\d+\.4s, v\d+\.s\[[0-3]\]", hot)
    loads = re.findall(r"^\s+ldu?[rp]\s", hot, flags=re.M)
    assert len(lanes) >= 32
    assert len(lanes) == hot.count("fmla")
    assert len(loads) * 3 < len(lanes)
    assert not re.search(r"\[sp|ld1r|ldr\s+s\d", hot)
