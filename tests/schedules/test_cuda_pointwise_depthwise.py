"""A pointwise and a depthwise convolution in one kernel of a GPU against torch."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest
import torch
from conftest import randomized
from gpu_kernels import CUDA, GPUS, MOST_REGISTERS, needs_nvcc, needs_runner, usage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers_of_each_kind import kernel
from networks import compiled, relative_error
from torch import nn

from tvmlcnn.ops import Formula, Window
from tvmlcnn.schedules import PointwiseDepthwise, kernels_by_rule
from tvmlcnn.schedules.cuda import map_bands as bands_of
from tvmlcnn.schedules.decisions import plain
from tvmlcnn.targets import FLOAT32
from tvmlcnn.tuning.kernels import RULE, Fixed

few = settings(max_examples=8, deadline=None, derandomize=True)


class Pair(nn.Module):
    def __init__(self, inner: int, outer: int, kernel: int, stride: int, act: nn.Module) -> None:
        super().__init__()
        self.pointwise, self.norm = nn.Conv2d(inner, outer, 1), nn.BatchNorm2d(outer)
        self.depthwise = nn.Conv2d(outer, outer, kernel, stride, kernel // 2, groups=outer)
        self.act = act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.depthwise(self.act(self.norm(self.pointwise(x)))))


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have one kernel pay for maps as small as those of tests."""
    monkeypatch.setattr(bands_of, "LAUNCH", 1e9)


@needs_runner
@pytest.mark.usefixtures("always")
@settings(few, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    inner=st.sampled_from([4, 6, 16, 24]),
    outer=st.sampled_from([24, 40, 48, 96]),
    kernel=st.sampled_from([3, 5]),
    stride=st.integers(1, 2),
    rows=st.integers(12, 20),
    columns=st.integers(12, 30),
    batch=st.integers(1, 2),
)
def test_shapes(
    inner: int, outer: int, kernel: int, stride: int, rows: int, columns: int, batch: int
) -> None:
    net = randomized(Pair(inner, outer, kernel, stride, nn.ReLU6()))
    error, kernels = relative_error(net, (batch, inner, rows, columns), CUDA)
    assert error < 1e-5
    assert "pointwise_depthwise" in kernels or "depthwise" in kernels


@needs_runner
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("size", "stride"), [(14, 1), (28, 1), (29, 2), (33, 1)])
@pytest.mark.parametrize("name", ["cuda", "jetson-orin-nano", "h100"])
def test_bands_of_rows(name: str, size: int, stride: int) -> None:
    net = randomized(Pair(16, 48, 3, stride, nn.Hardswish()))
    error, kernels = relative_error(net, (1, 16, size, size), GPUS[name])
    assert error < 1e-5
    assert kernels["pointwise_depthwise"] == 1


@needs_nvcc
@pytest.mark.parametrize(("inner", "outer", "size", "stride"), [(16, 96, 112, 2), (32, 192, 28, 1)])
def test_all_is_in_registers(inner: int, outer: int, size: int, stride: int) -> None:
    net = Pair(inner, outer, 3, stride, nn.ReLU6()).eval()
    assert "pointwise_depthwise" in kernels_by_rule(compiled(net, (1, inner, size, size), CUDA))
    for name, used in usage(net, (1, inner, size, size)).items():
        assert used.spilled == 0, name
        assert used.registers <= MOST_REGISTERS, name


def layer(inner: int, outer: int, size: int, stride: int, kernel: int = 3) -> PointwiseDepthwise:
    output, around = -(-size // stride), (kernel // 2,) * 4
    return PointwiseDepthwise(
        FLOAT32,
        (1, size, size, inner),
        np.zeros((inner, outer), np.float32),
        Formula(()),
        [],
        np.zeros((kernel, kernel, outer), np.float32),
        (1, output, output, outer),
        Window((stride, stride), around),
    )


@pytest.mark.parametrize("name", ["cuda", "jetson-nano", "jetson-orin-nano", "a10", "h100"])
@pytest.mark.parametrize(
    ("inner", "outer", "size", "stride"),
    [(16, 96, 112, 2), (24, 144, 56, 1), (32, 192, 28, 2), (64, 384, 14, 1), (160, 960, 7, 1)],
)
def test_options_can_be_laid_out(name: str, inner: int, outer: int, size: int, stride: int) -> None:
    device, pair = GPUS[name], layer(inner, outer, size, stride)
    for bands in islice(bands_of.map_bands(pair, device), 0, 64, 5):
        kernel(pair, device, Fixed({RULE: "pointwise_depthwise", "bands": plain(bands)}))


@pytest.mark.parametrize("name", GPUS)
@pytest.mark.parametrize("size", [7, 14, 56])
def test_blocks_fit_the_device(name: str, size: int) -> None:
    device = GPUS[name]
    for bands in islice(bands_of.map_bands(layer(32, 192, size, 1), device), 8):
        banding = bands.banding
        piece = min(size, banding.rows + 2) * size
        pixels = -(-piece // banding.pointwise.pixels) * banding.pointwise.pixels
        assert 4 * pixels * banding.channels <= device.shared_bytes
        assert banding.pointwise.pixels * banding.channels == (bands.threads * bands.pixels * 4), (
            "a round is for all threads"
        )
        assert bands.threads * MOST_REGISTERS <= device.registers_of_block
        tiles = banding.rows // bands.rows * math.ceil(size / banding.depthwise.pixels)
        assert tiles * banding.channels // 4 % bands.threads == 0


def test_a_map_that_memory_has_to_hold_is_never_whole() -> None:
    large = layer(16, 96, 112, 2)
    assert bands_of.pays(bands_of.map_bands(large, CUDA)[0], large, CUDA)


@pytest.mark.parametrize(("inner", "outer", "kernel"), [(32, 30, 3), (31, 192, 3), (32, 192, 9)])
def test_left_to_others(inner: int, outer: int, kernel: int) -> None:
    assert bands_of.map_bands(layer(inner, outer, 28, 1, kernel), CUDA) == []
