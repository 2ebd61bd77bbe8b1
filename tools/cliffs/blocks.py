"""Blocks of light networks with random attributes, of all the kinds that people build of.

A block takes a generator and the channels that it gets, and returns a module and the channels that
the module makes. Each works on maps of any size of 8 and more.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

Block = Callable[[random.Random, int], tuple[nn.Module, int]]

ACTIVATIONS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU6,
    nn.Hardswish,
    nn.SiLU,
    nn.GELU,
    nn.Mish,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.Tanh,
    nn.Softplus,
    nn.Identity,
)
_WIDTHS = (8, 12, 16, 20, 24, 30, 32, 36, 40, 48, 58, 64, 72, 80, 96, 116, 128)


def activation(rng: random.Random) -> nn.Module:
    """Return an activation."""
    return rng.choice(ACTIVATIONS)()


def _width(rng: random.Random) -> int:
    return rng.choice(_WIDTHS)


def _norm(rng: random.Random, channels: int) -> nn.Module:
    groups = rng.choice([divisor for divisor in (1, 2, 4, 8) if channels % divisor == 0])
    kinds: tuple[Callable[[], nn.Module], ...] = (
        lambda: nn.BatchNorm2d(channels),
        lambda: nn.BatchNorm2d(channels),
        lambda: nn.BatchNorm2d(channels),
        lambda: nn.GroupNorm(groups, channels),
        lambda: nn.InstanceNorm2d(channels, affine=True),
    )
    return rng.choice(kinds)()


def _conv(
    rng: random.Random, i: int, o: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    dilation = rng.choice((1, 1, 1, 2)) if kernel > 1 else 1
    padding = dilation * (kernel - 1) // 2
    return nn.Conv2d(i, o, kernel, stride, padding, dilation, groups, bias=rng.random() < 0.3)


def convolution(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return a convolution, perhaps grouped, a norm, an activation."""
    out, kernel, stride = _width(rng), rng.choice((1, 1, 3, 3, 5, 7)), rng.choice((1, 1, 2))
    groups = rng.choice([g for g in (1, 1, 2, 4) if channels % g == 0 and out % g == 0])
    conv = _conv(rng, channels, out, kernel, stride, groups)
    return nn.Sequential(conv, _norm(rng, out), activation(rng)), out


class _Residual(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class _Gate(nn.Module):
    """Squeeze and excitation, or a convolution over the channels (ECA)."""

    def __init__(self, rng: random.Random, channels: int) -> None:
        super().__init__()
        inner = max(4, channels // rng.choice((4, 8)))
        self.along = rng.random() < 0.3
        self.eca = nn.Conv1d(1, 1, 3, padding=1, bias=False)
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, inner, 1), activation(rng), nn.Conv2d(inner, channels, 1)
        )
        self.gate = rng.choice((nn.Sigmoid, nn.Hardsigmoid))()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean((2, 3), keepdim=True)
        if self.along:
            weight = self.eca(mean.flatten(2).transpose(1, 2)).transpose(1, 2).unsqueeze(-1)
        else:
            weight = self.mlp(mean)
        return x * self.gate(weight)


def inverted_residual(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Expand, convolve depthwise, perhaps gate, project (MobileNet V2 and V3, EfficientNet)."""
    wide, kernel = channels * rng.choice((2, 3, 4, 6)), rng.choice((3, 5, 7))
    keeps = rng.random() < 0.6
    out, stride = (channels, 1) if keeps else (_width(rng), rng.choice((1, 2)))
    layers = [
        nn.Conv2d(channels, wide, 1, bias=False),
        nn.BatchNorm2d(wide),
        activation(rng),
        _conv(rng, wide, wide, kernel, stride, wide),
        nn.BatchNorm2d(wide),
        activation(rng),
        *([_Gate(rng, wide)] if rng.random() < 0.5 else []),
        nn.Conv2d(wide, out, 1, bias=False),
        nn.BatchNorm2d(out),
    ]
    body = nn.Sequential(*layers)
    return (_Residual(body) if keeps else body), out


class _Mixed(nn.Module):
    """Depthwise kernels of several sizes in one layer (MixNet)."""

    def __init__(self, rng: random.Random, channels: int) -> None:
        super().__init__()
        parts = rng.choice((2, 3, 4))
        self.sizes = [channels // parts] * (parts - 1)
        self.sizes.append(channels - sum(self.sizes))
        self.convs = nn.ModuleList(
            nn.Conv2d(n, n, 2 * k + 3, padding=k + 1, groups=n) for k, n in enumerate(self.sizes)
        )
        self.act = activation(rng)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = x.split(self.sizes, 1)
        return self.act(torch.cat([c(p) for c, p in zip(self.convs, parts, strict=True)], 1))


def mixed_depthwise(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return a pointwise convolution and depthwise ones of several sizes."""
    out = _width(rng)
    return nn.Sequential(nn.Conv2d(channels, out, 1), _Mixed(rng, out)), out


class _Branches(nn.Module):
    """Branches side by side, joined along the channels (Inception, SqueezeNet's fire)."""

    def __init__(self, rng: random.Random, channels: int) -> None:
        super().__init__()
        widths = [_width(rng) for _ in range(rng.choice((2, 3)))]
        self.branches = nn.ModuleList(
            nn.Sequential(_conv(rng, channels, w, rng.choice((1, 3, 5))), activation(rng))
            for w in widths
        )
        pools = (nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1), nn.Identity())
        self.pool = rng.choice(pools)
        self.out = sum(widths) + channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([*(branch(x) for branch in self.branches), self.pool(x)], 1)


def branches(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return several branches and a pool, joined."""
    block = _Branches(rng, channels)
    return block, block.out


class _Shuffle(nn.Module):
    """Split, a branch, join, shuffle (ShuffleNet V2)."""

    def __init__(self, rng: random.Random, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.rest = channels - half
        self.branch = nn.Sequential(
            nn.Conv2d(half, half, 1),
            nn.BatchNorm2d(half),
            activation(rng),
            nn.Conv2d(half, half, 3, padding=1, groups=half),
            nn.Conv2d(half, half, 1),
            activation(rng),
        )
        self.groups = 2 if channels % 2 == 0 else 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rest, part = x.split([self.rest, x.shape[1] - self.rest], 1)
        return F.channel_shuffle(torch.cat((rest, self.branch(part)), 1), self.groups)


def shuffle(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return ShuffleNet V2's unit."""
    return _Shuffle(rng, channels), channels
