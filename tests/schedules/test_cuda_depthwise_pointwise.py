"""A depthwise and a pointwise convolution in one kernel of a GPU against torch."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from conftest import randomized
from gpu_kernels import CUDA, GPUS, needs_nvcc, needs_runner, usage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers_of_each_kind import kernel
from networks import compiled, relative_error
from torch import nn

from tvmlcnn.ops import Formula, Window
from tvmlcnn.schedules import RULES, DepthwisePointwise, kernels_by_rule, planned
from tvmlcnn.schedules.cuda import depthwise_pointwise as pairs
from tvmlcnn.schedules.decisions import DEFAULTS, plain
from tvmlcnn.targets import FLOAT16, FLOAT32, ElementType
from tvmlcnn.tuning.kernels import RULE, Fixed

few = settings(max_examples=8, deadline=None, derandomize=True)


class Pair(nn.Module):
    """As in mobile networks, with a residual and channels that the pointwise one does not read."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, act: nn.Module) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inner, inner, kernel, stride, kernel // 2, groups=inner)
        self.norm, self.act = nn.BatchNorm2d(inner), act
        self.pointwise = nn.Conv2d(inner, outer, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.pointwise(self.act(self.norm(self.depthwise(x))))
        return x + y if x.shape == y.shape else y


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have one kernel pay for maps as small as those of tests."""
    monkeypatch.setattr(pairs, "LAUNCH", 1e9)


@needs_runner
@pytest.mark.usefixtures("always")
@settings(few, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    inner=st.sampled_from([16, 24, 60, 116]),
    outer=st.sampled_from([16, 24, 29, 96]),
    kernel=st.sampled_from([3, 5]),
    stride=st.integers(1, 2),
    rows=st.integers(5, 14),
    columns=st.integers(5, 16),
    batch=st.integers(1, 2),
)
def test_shapes(
    inner: int, outer: int, kernel: int, stride: int, rows: int, columns: int, batch: int
) -> None:
    net = randomized(Pair(inner, outer, kernel, stride, nn.ReLU6()))
    error, kernels = relative_error(net, (batch, inner, rows, columns), CUDA)
    assert error < 1e-5
    assert kernels["depthwise_pointwise"] == 1


@needs_runner
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    ("channels", "size", "name"),
    [(96, 14, "jetson-orin-nano"), (232, 7, "h100"), (384, 14, "h100"), (384, 14, "jetson-nano")],
)
def test_cuts_of_the_reduction(channels: int, size: int, name: str) -> None:
    """It is split over blocks, or shared by threads of one; the residual is added once."""
    net = randomized(Pair(channels, channels, 3, 1, nn.Hardswish()))
    error, kernels = relative_error(net, (1, channels, size, size), GPUS[name])
    assert error < 1e-5
    assert kernels["depthwise_pointwise"] == 1


@needs_runner
@pytest.mark.usefixtures("always")
def test_channels_that_are_not_read() -> None:
    class Some(Pair):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.pointwise(self.act(self.norm(self.depthwise(x)))[:, :32])

    net = Some(48, 40, 3, 1, nn.ReLU())
    net.pointwise = nn.Conv2d(32, 40, 1)
    error, kernels = relative_error(randomized(net), (1, 48, 12, 12), CUDA)
    assert error < 1e-5
    assert kernels["depthwise_pointwise"] == 1


@needs_nvcc
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("inner", "outer", "size"), [(32, 16, 112), (384, 96, 14)])
def test_all_is_in_registers(inner: int, outer: int, size: int) -> None:
    net = Pair(inner, outer, 3, 1, nn.ReLU6()).eval()
    shape = (1, inner, size, size)
    assert "depthwise_pointwise" in kernels_by_rule(compiled(net, shape, CUDA))
    for name, used in usage(net, shape).items():
        assert used.spilled == 0, name


def layer(
    inner: int,
    outer: int,
    size: int,
    stride: int = 1,
    kernel: int = 3,
    element: ElementType = FLOAT32,
) -> DepthwisePointwise:
    output, around = -(-size // stride), (kernel // 2,) * 4
    return DepthwisePointwise(
        element,
        (1, size, size, inner),
        np.zeros((kernel, kernel, inner), np.float32),
        Formula(()),
        [],
        np.zeros((inner, outer), np.float32),
        (1, output, output, outer),
        Window((stride, stride), around),
    )


@pytest.mark.parametrize("name", ["jetson-nano", "jetson-orin-nano", "h100"])
@pytest.mark.parametrize(
    ("inner", "outer", "size", "stride"), [(32, 16, 112, 1), (116, 116, 14, 1), (960, 160, 7, 1)]
)
def test_options_can_be_laid_out(name: str, inner: int, outer: int, size: int, stride: int) -> None:
    device, pair = GPUS[name], layer(inner, outer, size, stride)
    for tile in islice(pairs.tiles_of_pairs(pair, device), 0, 60, 12):
        for pixels in pairs.pixels_of(tile, pair):
            made = {RULE: "depthwise_pointwise", "tile": plain(tile), "pixels": pixels}
            kernel(pair, device, Fixed(made))


def test_a_launch_less_pays_where_there_is_little_to_compute() -> None:
    large, small = GPUS["h100"], GPUS["jetson-orin-nano"]
    assert planned(layer(384, 96, 14), large).rule == "depthwise_pointwise"
    assert planned(layer(512, 512, 14), small).rule != "depthwise_pointwise"


@pytest.mark.parametrize("name", ["jetson-nano", "h100"])
@pytest.mark.parametrize(
    "left",
    [
        layer(30, 32, 28),
        layer(32, 32, 28, kernel=7),
        layer(384, 96, 14, element=FLOAT16),
    ],
)
def test_left_to_others(left: DepthwisePointwise, name: str) -> None:
    """Odd channels, large kernels, and what is summed up in another type or by tensor cores."""
    device = GPUS[name]
    assert all(rule.plan(left, device, DEFAULTS) is None for rule in RULES["cuda"][:-1])
