"""Kernels of float16 and bfloat16: how far their sums are off, and what they are made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import randomized
from executed import assembly_of
from hypothesis import given, settings
from hypothesis import strategies as st
from sixteen_bits import HERE, check_sums, computed
from torch import nn

from tvmlcnn import frontend, pipeline
from tvmlcnn.targets import BFLOAT16, DEVICES, FLOAT16, ElementType, resolve

few = settings(max_examples=4, deadline=None, derandomize=True)
each = pytest.mark.parametrize("name", HERE)
# What sums of products are off by, over the sum of the products' sizes: float32's rounding of sums
# of thousands; and float16's of at most 64, then of the result.
BOUNDS = {BFLOAT16: 2e-6, FLOAT16: 4 * 2**-11}


def check(layer: nn.Module, shape: tuple[int, ...], name: str) -> dict[str, int]:
    """Compare a layer of numbers that are in the type with exact sums of them."""
    device, element = HERE[name]
    return check_sums(layer, shape, device, element, BOUNDS[element])


@each
@few
@given(
    inner=st.sampled_from([8, 9, 16, 31, 58, 96, 200]),
    outer=st.sampled_from([8, 13, 24, 64, 100]),
    kernel=st.sampled_from([1, 1, 3]),
    stride=st.integers(1, 2),
    rows=st.integers(3, 12),
    columns=st.integers(3, 12),
)
def test_convolutions(
    name: str, inner: int, outer: int, kernel: int, stride: int, rows: int, columns: int
) -> None:
    conv = nn.Conv2d(inner, outer, kernel, stride, kernel // 2, bias=False)
    kernels = check(conv, (1, inner, rows, columns), name)
    assert {"dense", "winograd"} & set(kernels)


@each
@few
@given(
    width=st.sampled_from([40, 48, 64, 72]),
    kernel=st.sampled_from([3, 5, 7]),
    stride=st.integers(1, 2),
    rows=st.integers(7, 14),
    columns=st.integers(7, 18),
)
def test_depthwise(
    name: str, width: int, kernel: int, stride: int, rows: int, columns: int
) -> None:
    conv = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
    assert check(conv, (2, width, rows, columns), name)["depthwise"] == 1


@each
@pytest.mark.parametrize(("groups", "width"), [(2, 32), (8, 32), (3, 48)])
def test_groups(name: str, groups: int, width: int) -> None:
    conv = nn.Conv2d(width, width, 3, padding=1, groups=groups, bias=False)
    check(conv, (1, width, 9, 9), name)


@each
@pytest.mark.parametrize(("depth", "channels"), [(40, 10), (63, 1000), (1280, 100), (131, 8)])
def test_products(name: str, depth: int, channels: int) -> None:
    kernels = check(nn.Linear(depth, channels, bias=False), (3, depth), name)
    assert kernels["dense"] == 1


@each
def test_a_long_sum_of_equal_numbers(name: str) -> None:
    """A sum in float16 alone ends at 2048, where adding one is too little; bfloat16's at 256."""
    layer = nn.Linear(8192, 16, bias=False)
    nn.init.ones_(layer.weight)
    found, _ = computed(layer, np.ones((1, 8192), np.float32), *HERE[name])
    np.testing.assert_allclose(found, 8192, rtol=1e-3)


class Block(nn.Module):
    """What light networks are made of: an inverted residual with squeeze-and-excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.Hardswish())
        self.expand = nn.Sequential(nn.Conv2d(16, 72, 1), nn.BatchNorm2d(72), nn.SiLU())
        self.depthwise = nn.Conv2d(72, 72, 5, padding=2, groups=72)
        self.squeeze = nn.Sequential(nn.Conv2d(72, 24, 1), nn.ReLU(), nn.Conv2d(24, 72, 1))
        self.project = nn.Sequential(nn.Conv2d(72, 16, 1), nn.BatchNorm2d(16))
        self.pools = nn.ModuleList([nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1)])
        self.last = nn.Linear(32, 21)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        y = self.depthwise(self.expand(x))
        y = y * self.squeeze(y.mean((2, 3), keepdim=True)).sigmoid()
        x = x + self.project(y)
        x = torch.cat([pool(x) for pool in self.pools], 1)
        x = nn.functional.interpolate(x, scale_factor=2)
        return self.last(x.mean((2, 3))).softmax(1)


@each
def test_a_network(name: str) -> None:
    device, element = HERE[name]
    net = randomized(Block())
    data = np.random.default_rng(0).standard_normal((1, 3, 40, 40), np.float32)
    found, _ = computed(net, data, device, element)
    expected = net(torch.from_numpy(data)).detach().numpy()
    bound = {BFLOAT16: 0.03, FLOAT16: 0.004}[element] * np.ptp(expected)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < bound


def assembly(
    net: nn.Module, shape: tuple[int, ...], device: str | dict[str, str], kind: ElementType
) -> str:
    inputs = [np.zeros(shape, np.float32)]
    mod = pipeline.run(frontend.import_graph(net.eval(), inputs).mod, resolve(device), element=kind)
    return assembly_of(mod, resolve(device))


POINTWISE = nn.Sequential(nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 64, 1))


def test_pairs_are_multiplied_on_x86() -> None:
    zen = {"kind": "llvm", "mtriple": "x86_64-unknown-linux-gnu", "mcpu": "znver4"}
    text = assembly(POINTWISE, (1, 64, 14, 14), zen, BFLOAT16)
    assert text.count("vdpbf16ps") > 8
    assert "vcvtneps2bf16" in text
    assert "vfmadd231ps" not in text


def test_vectors_hold_eight_on_a_pi_5() -> None:
    text = assembly(POINTWISE, (1, 64, 14, 14), "rpi5", FLOAT16)
    assert ".8h" in text
    assert not [line for line in text.splitlines() if "fmla" in line and ".4s" in line]
    assert DEVICES["rpi5"].computes(FLOAT16)
    assert not DEVICES["rpi4"].computes(FLOAT16)
