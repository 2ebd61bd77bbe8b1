"""Nets of named layers, and what is asserted of them, for tests of where channels lie."""

from __future__ import annotations

from collections.abc import Callable

import torch
from conftest import randomized
from networks import compiled, relative_error
from torch import nn

from tvmlcnn import passes
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"]
Shape = tuple[int, int, int, int]
Result = torch.Tensor | tuple[torch.Tensor, ...]


class Net(nn.Module):
    """Layers by name, and how they are connected."""

    def __init__(self, connect: Callable[..., Result], **layers: nn.Module) -> None:
        super().__init__()
        self.layers, self.connect = nn.ModuleDict(layers), connect

    def forward(self, x: torch.Tensor) -> Result:
        return self.connect(x, **dict(self.layers.items()))


def conv(inner: int, outer: int, size: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, size, padding=size // 2, groups=groups)


def normalized(channels: int) -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())


def cat(*parts: torch.Tensor) -> torch.Tensor:
    return torch.cat(parts, 1)


def assert_same(net: nn.Module, shape: Shape) -> dict[str, int]:
    """Assert that the function is torch's, and return the kernels by rule."""
    error, rules = relative_error(randomized(net), shape, X86)
    assert error < 1e-5
    return rules


def kernels(net: nn.Module, shape: Shape) -> list[str]:
    """Return the names of the kernels that are called."""
    calls = passes.kernel_calls(compiled(randomized(net), shape, X86))
    return [call["function"].removeprefix("fused_") for call in calls]


def copies(net: nn.Module, shape: Shape) -> list[str]:
    """Return the kernels that only move channels."""
    moves = ("concat", "copy", "cut", "gather", "split", "strided_slice", "transpose")
    return [name for name in kernels(net, shape) if name.startswith(moves)]
