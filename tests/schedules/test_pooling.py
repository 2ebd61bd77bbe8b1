"""Pooling and squeeze-and-excitation against torch, and what makes their kernels fast."""

from __future__ import annotations

import re

import pytest
import torch
import tvm
from conftest import randomized
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from networks import assembly, compiled, relative_error
from torch import nn
from tvm.s_tir.analysis import estimate_tir_flops

from tvmlcnn.models.squeeze_excitation import SqueezeExcitation
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)
few = settings(max_examples=20, deadline=None, derandomize=True)
channels = st.sampled_from([3, 4, 8, 12, 24, 40])
size = st.integers(5, 16)


def check(module: nn.Module, shape: tuple[int, ...]) -> None:
    error, kernels = relative_error(module, shape, X86)
    assert error < 1e-6
    assert kernels.get("pooling", 0) == 1, kernels


windows = {
    "width": channels,
    "kernel": st.integers(1, 5),
    "stride": st.integers(1, 3),
    "padding": st.integers(0, 2),
    "ceil": st.booleans(),
    "rows": size,
    "columns": size,
    "batch": st.integers(1, 2),
}


@few
@given(**windows)
def test_max_pool(
    width: int,
    kernel: int,
    stride: int,
    padding: int,
    ceil: bool,
    rows: int,
    columns: int,
    batch: int,
) -> None:
    assume(padding <= kernel // 2)
    pool = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil)
    # All negative: a border of zeros would show.
    check(Shifted(pool), (batch, width, rows, columns))


class Shifted(nn.Module):
    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(x - 100.0) + 100.0


@few
@given(**windows, count=st.booleans())
def test_average_pool(
    width: int,
    kernel: int,
    stride: int,
    padding: int,
    ceil: bool,
    rows: int,
    columns: int,
    batch: int,
    count: bool,
) -> None:
    assume(padding <= kernel // 2)
    pool = nn.AvgPool2d(kernel, stride, padding, ceil_mode=ceil, count_include_pad=count)
    check(pool, (batch, width, rows, columns))


class Mean(nn.Module):
    def __init__(self, width: int, keep: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1, groups=width)
        self.keep = keep

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).mean((2, 3), keepdim=self.keep)


@few
@given(width=channels, rows=size, columns=size, batch=st.integers(1, 2), keep=st.booleans())
def test_global_average(width: int, rows: int, columns: int, batch: int, keep: bool) -> None:
    error, kernels = relative_error(Mean(width, keep), (batch, width, rows, columns), X86)
    assert error < 1e-5
    assert kernels["pooling"] == 1


def test_adaptive_average_to_one_pixel() -> None:
    net = nn.Sequential(nn.Conv2d(16, 16, 1, groups=16), nn.AdaptiveAvgPool2d(1))
    error, kernels = relative_error(net, (1, 16, 9, 7), X86)
    assert error < 1e-5
    assert kernels["pooling"] == 1


def test_dilated_pool_takes_the_default_rule() -> None:
    error, kernels = relative_error(nn.MaxPool2d(3, 2, 1, dilation=2), (1, 8, 15, 16), X86)
    assert error == 0
    assert "pooling" not in kernels


@pytest.mark.parametrize("gate", [nn.Sigmoid, nn.Hardsigmoid])
@pytest.mark.parametrize("width", [16, 72, 20])
def test_squeeze_excitation(gate: type[nn.Module], width: int) -> None:
    net = nn.Sequential(nn.Conv2d(width, width, 1, groups=width), SqueezeExcitation(width, 8, gate))
    error, kernels = relative_error(randomized(net), (1, width, 9, 7), X86)
    assert error < 1e-5
    assert kernels["pooling"] == 1


def test_scales_are_computed_once() -> None:
    """The second layer does not run again for each pixel that is scaled."""
    net = nn.Sequential(nn.Conv2d(64, 64, 1, groups=64), SqueezeExcitation(64, 32))
    mod = compiled(net, (1, 64, 16, 16), X86)
    kernels = [f for f in mod.functions.values() if isinstance(f, tvm.tirx.PrimFunc)]
    operations = sum(estimate_tir_flops(tvm.IRModule({"main": f})) for f in kernels)
    # Depthwise with bias, mean and scale take fewer than eight each pixel and channel.
    assert operations < 8 * 64 * 16 * 16 + 2 * 2 * 64 * 32 + 16 * 64


@pytest.mark.parametrize(
    ("net", "instruction"),
    [
        (nn.MaxPool2d(3, 2, 1), "vmaxps"),
        (nn.AvgPool2d(2), "vaddps"),
        (nn.AvgPool2d(3, 2, 1, count_include_pad=False), r"vfmadd\w+ps"),
        (Mean(32, False), "vaddps"),
    ],
)
def test_channels_are_vectors(net: nn.Module, instruction: str) -> None:
    text = assembly(net, (1, 32, 14, 14), X86)
    assert len(re.findall(rf"{instruction}\s.*%ymm", text)) >= 4
    assert not re.findall(r"vmaxss\s|vaddss\s|vfmadd\w+ss\s", text)
