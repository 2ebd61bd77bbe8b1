"""Normalization against float64, of data near zero and far from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import graph, result_of
from torch import nn
from tvm import relax

from tvmlcnn import frontend
from tvmlcnn.graph.constants import constant
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)
few = settings(max_examples=12, deadline=None, derandomize=True)
sizes = st.integers(1, 40)
# The mean of float32 numbers near 100, and each of them, is known to 4e-6 of their deviation.
BOUND = {0.0: 1e-6, 100.0: 1e-5}


def check(
    module: nn.Module, shape: tuple[int, ...], mean: float, **expected: int
) -> dict[str, int]:
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    data = (np.random.default_rng(0).standard_normal(shape) + mean).astype("float32")
    mod = frontend.import_graph(module.eval(), [data]).mod
    result, kernels = result_of(mod, [data], X86)
    with torch.no_grad():
        wanted = module.double()(torch.tensor(data).double()).numpy()
    assert np.abs(result - wanted).max() <= BOUND[mean] * max(1.0, np.ptp(wanted))
    for rule, count in expected.items():
        assert kernels.get(rule, 0) == count, kernels
    return kernels


@few
@given(
    rows=st.integers(1, 9),
    inner=st.lists(st.integers(1, 70), min_size=1, max_size=2),
    mean=st.sampled_from([0.0, 100.0]),
)
def test_layer_norm(rows: int, inner: list[int], mean: float) -> None:
    if np.prod(inner) > 1:
        check(nn.LayerNorm(inner), (2, rows, *inner), mean, normalization=1, default=0)


@few
@given(
    groups=st.integers(1, 4),
    each=st.integers(1, 5),
    rows=sizes,
    columns=sizes,
    batch=st.integers(1, 2),
    mean=st.sampled_from([0.0, 100.0]),
)
def test_group_norm(
    groups: int, each: int, rows: int, columns: int, batch: int, mean: float
) -> None:
    if each * rows * columns > 1:
        net = nn.GroupNorm(groups, groups * each)
        shape = (batch, groups * each, rows, columns)
        check(net, shape, mean, normalization=1, default=0)


@settings(few, max_examples=5)
@given(
    groups=st.sampled_from([1, 2, 8, 16]),
    channels=st.sampled_from([16, 48, 32]),
    rows=st.integers(2, 40),
    mean=st.sampled_from([0.0, 100.0]),
)
def test_between_convolutions_channels_stay_last(
    groups: int, channels: int, rows: int, mean: float
) -> None:
    pointwise = nn.Conv2d(channels, channels, 1, groups=channels)
    net = nn.Sequential(pointwise, nn.GroupNorm(groups, channels), nn.ReLU())
    # The transposes of the network's input and output, and nothing else.
    check(net, (2, channels, rows, 7), mean, normalization=1, default=2)


@pytest.mark.parametrize("axes", [[2, 3], [0, 2, 3]])
@pytest.mark.parametrize("rows", [9, 130])
def test_statistics_of_channels(axes: list[int], rows: int) -> None:
    data = np.random.default_rng(0).standard_normal((2, 16, rows, 33)).astype("float32") + 100
    ones = constant(np.ones(16, "float32"))

    def define(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        return relax.op.nn.instance_norm(x, ones, ones, 1, axes)

    result, kernels = result_of(graph([data.shape], define), [data], X86)
    wide = data.astype("float64")
    mean = wide.mean(tuple(axes), keepdims=True)
    wanted = (wide - mean) / np.sqrt(wide.var(tuple(axes), keepdims=True) + 1e-5) + 1
    np.testing.assert_allclose(result, wanted, rtol=0, atol=3e-5)
    assert kernels["normalization"] == 1


class ChannelNorm(nn.Module):
    """ConvNeXt's: the channels of each pixel."""

    def __init__(self, channels: int, block: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.block, self.norm = block(), nn.LayerNorm(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.block(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_channels_of_a_pixel_need_no_transposes() -> None:
    net = nn.Sequential(
        ChannelNorm(32, lambda: nn.Conv2d(32, 32, 7, padding=3, groups=32)),
        nn.Conv2d(32, 64, 1),
        nn.ReLU(),
    )
    check(net, (1, 32, 14, 14), 0.0, normalization=1, default=2)


@pytest.mark.parametrize("shape", [(3, 12, 50), (2, 12, 3, 5, 7)])
def test_other_ranks(shape: tuple[int, ...]) -> None:
    check(nn.GroupNorm(3, 12), shape, 100.0, normalization=1)


def test_a_large_map() -> None:
    check(nn.GroupNorm(1, 2), (1, 2, 700, 700), 100.0, normalization=1)
