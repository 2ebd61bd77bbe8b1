"""Channels that no vector divides are filled up: convolutions in groups, and depthwise ones."""

from __future__ import annotations

import pytest
import torch
from conftest import randomized
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import relative_error
from torch import nn
from wiring import Net, cat, conv, copies, kernels

from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"]
few = settings(max_examples=8, deadline=None, derandomize=True)


def check(net: nn.Module, shape: tuple[int, ...]) -> None:
    """Assert torch's result, with no convolution by the rule for everything else."""
    error, _ = relative_error(randomized(net), shape, X86)
    assert error < 1e-5
    assert_fast(net, shape)


def assert_fast(net: nn.Module, shape: tuple[int, ...]) -> None:
    _, rules = relative_error(net, shape, X86)
    convolutions = sum(isinstance(layer, nn.Conv2d) for layer in net.modules())
    fast = sum(rules.get(name, 0) for name in ("dense", "depthwise", "grouped", "winograd"))
    assert fast >= min(convolutions, 1), rules


@few
@given(
    groups=st.integers(2, 13),
    inner=st.integers(1, 7),
    outer=st.integers(1, 19),
    kernel=st.sampled_from([1, 3]),
    batch=st.integers(1, 2),
)
def test_groups_of_any_size(groups: int, inner: int, outer: int, kernel: int, batch: int) -> None:
    net = nn.Sequential(conv(groups * inner, groups * outer, kernel, groups), nn.ReLU6())
    check(net, (batch, groups * inner, 6, 7))


@few
@given(width=st.integers(1, 30), kernel=st.sampled_from([1, 3, 5, 7]), stride=st.integers(1, 2))
def test_depthwise_of_any_width(width: int, kernel: int, stride: int) -> None:
    layer = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width)
    check(nn.Sequential(layer, nn.ReLU()), (1, width, 9, 8))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(24, 24, (1, 21), padding=(0, 10), groups=24),
        nn.Conv2d(24, 24, (9, 1), padding=(4, 0), groups=24),
        nn.Conv2d(24, 24, 15, padding=7, groups=24),
        nn.Conv2d(24, 24, 12, groups=24),
        nn.Conv2d(24, 24, 3, padding=4, dilation=4, groups=24),
        nn.Conv2d(24, 72, 3, padding=1, groups=24),
        nn.Conv2d(24, 12, 3, padding=1, groups=12),
    ],
)
def test_depthwise_of_any_form(layer: nn.Module) -> None:
    check(layer, (1, 24, 12, 12))


def test_two_in_a_row() -> None:
    net = nn.Sequential(conv(21, 21, 3, 3), nn.ReLU(), conv(21, 21, 3, 21), conv(21, 14, 1, 7))
    check(net, (1, 21, 7, 9))


def mixed(sizes: tuple[int, ...], kernel_sizes: tuple[int, ...]) -> Net:
    """Return MixNet's convolution: depthwise ones of several sizes, each of its channels."""
    parts = {
        f"part{k}": conv(size, size, k, size) for size, k in zip(sizes, kernel_sizes, strict=True)
    }

    def connect(
        x: torch.Tensor, first: nn.Module, last: nn.Module, **parts: nn.Module
    ) -> torch.Tensor:
        pieces = torch.relu(first(x)).split(list(sizes), 1)
        return last(cat(*(f(p) for f, p in zip(parts.values(), pieces, strict=True))))

    return Net(connect, first=conv(8, sum(sizes)), last=conv(sum(sizes), 8), **parts)


@pytest.mark.parametrize("sizes", [(16, 16), (24, 24), (20, 20), (11, 10), (30, 30)])
def test_mixed_sizes_of_depthwise_convolutions(sizes: tuple[int, ...]) -> None:
    check(mixed(sizes, (3, 5)), (1, 8, 10, 10))


def test_a_depthwise_convolution_after_a_concatenation() -> None:
    def connect(x: torch.Tensor, a: nn.Module, b: nn.Module, c: nn.Module) -> torch.Tensor:
        return c(cat(a(x), b(x)))

    for width in (16, 11):
        net = Net(
            connect,
            a=conv(8, width),
            b=conv(8, 16, 3),
            c=conv(width + 16, width + 16, 3, width + 16),
        )
        check(net, (1, 8, 10, 10))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("width", [24, 36, 40])
def test_depthwise_in_planes_and_slices_moves_nothing(width: int, batch: int) -> None:
    """A ghost module and a mixed convolution, both followed by squeeze and excitation."""
    half = width // 2

    def connect(x: torch.Tensor, **layers: nn.Module) -> torch.Tensor:
        y = layers["first"](x)
        y = layers["deep"](cat(y, torch.relu(layers["cheap"](y))))
        scale = torch.sigmoid(layers["scale"](y.mean((2, 3), keepdim=True)))
        z = layers["mix"](y * scale)
        parts = zip((layers["left"], layers["right"]), z.split([half, half], 1), strict=True)
        return layers["last"](cat(*(layer(part) for layer, part in parts)))

    net = Net(
        connect,
        first=conv(8, half),
        cheap=conv(half, half, 3, half),
        deep=conv(width, width, 5, width),
        scale=conv(width, width),
        mix=conv(width, width),
        left=conv(half, half, 3, half),
        right=conv(half, half, 5, half),
        last=conv(width, 8),
    )
    check(net, (batch, 8, 8, 8))
    moved = [name for name in copies(net, (batch, 8, 8, 8)) if "transpose" not in name]
    # What is left are the channels' means, which a convolution of one pixel reads in their order.
    assert moved in ([], ["gather_channels"]), moved


def test_what_follows_tokens_is_computed_before() -> None:
    def connect(x: torch.Tensor, a: nn.Module, b: nn.Module) -> torch.Tensor:
        return b(nn.functional.hardswish(a(x).flatten(2).transpose(1, 2)))

    net = Net(connect, a=conv(16, 16, 3, 16), b=nn.Linear(16, 8))
    check(net, (1, 16, 7, 7))
    assert len(kernels(net, (1, 16, 7, 7))) == 3


def test_a_tensor_that_several_layers_read_is_transposed_once() -> None:
    def connect(x: torch.Tensor, a: nn.Module, b: nn.Module) -> tuple[torch.Tensor, ...]:
        return a(x).mean((2, 3)), b(x).mean((2, 3))

    names = kernels(Net(connect, a=conv(16, 16), b=conv(16, 16, 3)), (1, 16, 8, 8))
    assert sum(name.startswith("transpose") for name in names) == 1
