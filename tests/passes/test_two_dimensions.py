"""Layers over lines and volumes as layers over maps: the graph, and torch's numbers."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import pytest
import torch
from conftest import randomized
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import compiled, relative_error
from scripted import assert_becomes, filled
from torch import nn
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn import passes
from tvmlcnn.passes.two_dimensions import two_dimensions
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"]
few = settings(max_examples=6, deadline=None, derandomize=True)
MOVES = ("transpose", "permute", "copy", "concat", "gather", "reshape", "squeeze", "expand")


def test_lines_stay_maps_of_one_row_between_layers() -> None:
    first, second, bias = filled(4, 3, 3), filled(2, 4, 1), filled(1, 4, 1)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 9), "float32")):
            with R.dataflow():
                c = R.nn.conv1d(x, R.const(first), strides=2, padding=(1, 0), dilation=2)
                b = R.nn.relu(R.add(c, R.const(bias)))
                y = (R.nn.conv1d(b, R.const(second)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 9), "float32")):
            with R.dataflow():
                m = R.reshape(x, (1, 3, 1, 9))
                c = R.nn.conv2d(
                    *(m, R.const(first[:, :, None])),
                    strides=(1, 2),
                    padding=(0, 1, 0, 0),
                    dilation=(1, 2),
                )
                b = R.nn.relu(R.add(c, R.const(bias[:, :, None])))
                d = R.nn.conv2d(b, R.const(second[:, :, None]))
                y = (R.reshape(d, (1, 2, 3)),)
                R.output(y)
            return y

    assert_becomes(two_dimensions, Before, After)


def test_kernels_of_one_frame_convolve_frames() -> None:
    weight = filled(4, 8, 1, 3, 3)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 6, 5, 7), "float32")):
            with R.dataflow():
                y = (R.nn.conv3d(x, R.const(weight), padding=(0, 1, 1, 0, 1, 1)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 8, 6, 5, 7), "float32")):
            with R.dataflow():
                p = R.permute_dims(x, [0, 2, 3, 4, 1])
                m = R.permute_dims(R.reshape(p, (6, 5, 7, 8)), [0, 3, 1, 2])
                c = R.nn.conv2d(m, R.const(weight[:, :, 0]), padding=(1, 1, 1, 1))
                y = (R.permute_dims(R.reshape(c, (1, 6, 4, 5, 7)), [0, 2, 1, 3, 4]),)
                R.output(y)
            return y

    assert_becomes(two_dimensions, Before, After)


def test_other_operators_stay() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 9), "float32"), w: R.Tensor((4, 3, 3), "float32")):
            with R.dataflow():
                a = R.nn.softmax(R.nn.relu(x))
                y = (R.nn.conv1d(a, w),)
                R.output(y)
            return y

    assert_becomes(two_dimensions, Before, Before)


def check(net: nn.Module, shape: tuple[int, ...]) -> list[str]:
    """Assert torch's result; return the kernels that are called."""
    torch.manual_seed(1)
    error, _ = relative_error(randomized(net), shape, X86)
    assert error < 2e-5
    calls = passes.kernel_calls(compiled(net, shape, X86))
    names = [call["function"].removeprefix("fused_") for call in calls]
    assert not [name for name in names if name.startswith(("conv1d", "conv3d"))], names
    return names


@st.composite
def convolutions(draw: st.DrawFn, rank: int) -> tuple[nn.Module, tuple[int, ...]]:
    """Return a convolution of any attributes, and a shape for it."""

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    groups = draw(st.sampled_from([1, 1, 2, 8]))
    inner, outer = groups * draw(st.integers(1, 9)), groups * draw(st.integers(1, 9))
    kernel, dilation = each(1, 3), each(1, 2)
    make = (nn.Conv1d, nn.Conv3d)[rank == 3]
    layer = make(inner, outer, kernel, each(1, 3), each(0, 2), dilation, groups)
    return nn.Sequential(layer, nn.ReLU6()), (draw(st.integers(1, 2)), inner, *each(5, 8))


@few
@given(convolutions(1))
def test_lines(case: tuple[nn.Module, tuple[int, ...]]) -> None:
    check(*case)


@few
@given(convolutions(3))
def test_volumes(case: tuple[nn.Module, tuple[int, ...]]) -> None:
    check(*case)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Sequential(nn.Conv1d(8, 8, 3), nn.MaxPool1d(3, 2, 1), nn.AvgPool1d(2)), (2, 8, 20)),
        (nn.Sequential(nn.Conv1d(8, 8, 3), nn.AdaptiveAvgPool1d(3), nn.Flatten()), (1, 8, 20)),
        (nn.Sequential(nn.Conv3d(8, 8, 3), nn.MaxPool3d(3, 2, 1)), (2, 8, 6, 7, 9)),
        (nn.Sequential(nn.Conv3d(8, 8, 1), nn.AvgPool3d(3, 2, 1)), (1, 8, 6, 7, 9)),
        (nn.Sequential(nn.Conv3d(8, 8, 1), nn.AvgPool3d((1, 3, 2), 2)), (2, 8, 6, 7, 9)),
        (nn.Sequential(nn.Conv3d(8, 8, 1), nn.AvgPool3d(3, 2, 1, True, False)), (1, 8, 6, 7, 9)),
        (
            nn.Sequential(nn.Conv3d(8, 8, (3, 1, 1)), nn.AdaptiveAvgPool3d((2, 1, 1))),
            (2, 8, 6, 4, 4),
        ),
        (nn.Sequential(nn.Conv3d(8, 8, 1), nn.AdaptiveAvgPool3d(1), nn.Flatten()), (2, 8, 3, 4, 4)),
        (nn.Sequential(nn.Conv3d(3, 8, 3, (1, 2, 2), 1), nn.Hardswish()), (1, 3, 4, 9, 9)),
    ],
)
def test_pools(net: nn.Module, shape: tuple[int, ...]) -> None:
    assert not [name for name in check(net, shape) if "pool1d" in name or "pool3d" in name]


class Separable(nn.Module):
    """As in R(2+1)D and in MobileNets over time: residual, attention by channel, one frame each."""

    def __init__(self) -> None:
        super().__init__()
        self.space = nn.Conv3d(8, 16, (1, 3, 3), padding=(0, 1, 1))
        self.time = nn.Conv3d(16, 8, (3, 1, 1), padding=(1, 0, 0))
        self.norm = nn.BatchNorm3d(8)
        self.scale = nn.Conv3d(8, 8, 1)
        self.register_buffer("frame", torch.arange(6.0).reshape(6, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.time(torch.relu(self.space(x)))) + x)
        y = y * torch.sigmoid(self.scale(y.mean((2, 3, 4), keepdim=True)))
        return torch.cat((y, y + self.frame), 1).amax(2)


@pytest.mark.parametrize("batch", [1, 2])
def test_separable_kernels_copy_nothing(batch: int) -> None:
    names = check(Separable(), (batch, 8, 6, 8, 8))
    assert not [name for name in names if name.startswith("frames")]


class Lines(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(16, 16, 3, padding=1), nn.Conv1d(32, 16, 1)
        self.c = nn.Conv1d(16, 16, 5, padding=2, groups=16)
        self.norm, self.last = nn.BatchNorm1d(16), nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.norm(self.a(x)))
        y = self.b(torch.cat((y, self.c(y)), 1)) + y
        return self.last(nn.functional.relu6(y).mean(-1))


def test_a_chain_of_lines_is_transposed_at_its_border() -> None:
    names = check(Lines(), (1, 16, 40))
    moved = [name for name in names if name.startswith(MOVES)]
    assert len(moved) == 1, names


def test_weights_that_are_computed() -> None:
    class Dynamic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.route, self.experts = nn.Linear(8, 3), nn.Parameter(torch.randn(3, 8 * 8 * 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weight = torch.softmax(self.route(x.mean(2)), 1) @ self.experts
            return torch.relu(nn.functional.conv1d(x, weight.view(8, 8, 3), padding=1))

    error, _ = relative_error(Dynamic(), (1, 8, 12), X86)
    assert error < 1e-5
