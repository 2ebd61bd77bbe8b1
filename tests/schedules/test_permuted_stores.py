"""A depthwise convolution on a GPU stores its channels where a shuffle wants them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import compiled, relative_error
from torch import nn

from tvmlcnn import passes
from tvmlcnn.targets import DEVICES, FLOAT16, FLOAT32, ElementType

ORIN = DEVICES["jetson-orin-nano"]


class Unit(nn.Module):
    """As of ShuffleNet V1; ``kept`` is read by something else too."""

    def __init__(
        self, channels: int, groups: int, stride: int, first: int, after: nn.Module, kept: bool
    ) -> None:
        super().__init__()
        self.compress = nn.Conv2d(channels, channels, 1, groups=first)
        self.shuffle = nn.ChannelShuffle(groups)
        self.depthwise = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels)
        self.after = after
        self.expand = nn.Conv2d(channels, channels, 1, groups=groups)
        self.kept = kept

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shuffled = self.shuffle(torch.relu(self.compress(x)))
        y = self.after(self.depthwise(shuffled))
        return self.expand(y) + self.depthwise(y) if self.kept else self.expand(y)


def unit(
    channels: int = 60,
    groups: int = 3,
    stride: int = 1,
    first: int | None = None,
    after: nn.Module | None = None,
    kept: bool = False,
) -> nn.Module:
    shuffled = Unit(channels, groups, stride, first or groups, after or nn.Identity(), kept)
    return nn.Sequential(nn.Conv2d(3, channels, 3, 2, 1), nn.ReLU(), shuffled)


def copies(module: nn.Module, element: ElementType = FLOAT32, size: int = 28) -> list[str]:
    mod = compiled(module, (1, 3, size, size), ORIN, element=element)
    names = [str(call["function"]) for call in passes.kernel_calls(mod)]
    return [name for name in names if name.startswith("gather")]


@settings(max_examples=8, deadline=None)
@given(
    groups=st.integers(2, 4),
    each=st.sampled_from([4, 5, 8, 20, 40]),
    stride=st.integers(1, 2),
    size=st.integers(6, 29),
    batch=st.integers(1, 2),
    grouped=st.booleans(),
    element=st.sampled_from([FLOAT32, FLOAT16]),
    after=st.sampled_from([nn.Identity, nn.Hardswish]),
)
def test_any_shuffle(
    groups: int,
    each: int,
    stride: int,
    size: int,
    batch: int,
    grouped: bool,
    element: ElementType,
    after: type[nn.Module],
) -> None:
    net = unit(groups * each, groups, stride, groups if grouped else 1, after())
    error, _ = relative_error(net, (batch, 3, size, size + 1), ORIN, element=element)
    assert error < (1e-5 if element is FLOAT32 else 1e-2)


@pytest.mark.parametrize("element", [FLOAT32, FLOAT16])
@pytest.mark.parametrize("first", [1, 3])
def test_nothing_is_copied(first: int, element: ElementType) -> None:
    assert not copies(unit(96, first=first, after=nn.BatchNorm2d(96).eval()), element)


def test_the_kernel_of_both_convolutions_stores_them_too() -> None:
    net = nn.Sequential(
        *(nn.Conv2d(3, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 60, 1), nn.ReLU()),
        *(nn.ChannelShuffle(3), nn.Conv2d(60, 60, 3, 2, 1, groups=60)),
        nn.Conv2d(60, 216, 1, groups=3),
    )
    assert not copies(net, size=112)
    error, kernels = relative_error(net, (1, 3, 112, 112), ORIN)
    assert error < 1e-5
    assert kernels["pointwise_depthwise"] == 1


def test_what_something_else_reads_too_is_copied() -> None:
    net = unit(kept=True)
    error, _ = relative_error(net, (1, 3, 28, 28), ORIN)
    assert error < 1e-5
    assert copies(net)
