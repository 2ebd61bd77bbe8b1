"""More blocks: attention, resizing, transposed convolutions, weights that are computed."""

from __future__ import annotations

import random

import torch
from torch import nn
from torch.nn import functional as F

from .blocks import (
    Block,
    activation,
    branches,
    convolution,
    inverted_residual,
    mixed_depthwise,
    shuffle,
)


class _Attention(nn.Module):
    """Self-attention over the pixels of a map that is pooled first (MobileViT)."""

    def __init__(self, rng: random.Random, channels: int) -> None:
        super().__init__()
        self.heads = rng.choice([heads for heads in (1, 2, 4) if channels % heads == 0])
        self.norm = nn.LayerNorm(channels)
        self.qkv, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, channels, height, width = x.shape
        small = F.avg_pool2d(x, 2)
        tokens = small.flatten(2).transpose(1, 2)
        split = self.qkv(self.norm(tokens)).unflatten(2, (3, self.heads, channels // self.heads))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.out(mixed.transpose(1, 2).flatten(2))
        small = tokens.transpose(1, 2).reshape(small.shape)
        return x + F.interpolate(small, (height, width), mode="bilinear")


def attention(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return self-attention, its result resized and added."""
    return _Attention(rng, channels), channels


class _ConvNeXt(nn.Module):
    """A large depthwise kernel, a norm over the channels and two linear layers (ConvNeXt)."""

    def __init__(self, rng: random.Random, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.wide, self.narrow = (
            nn.Linear(channels, 4 * channels),
            nn.Linear(4 * channels, channels),
        )
        self.scale = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.narrow(F.gelu(self.wide(y)))
        return x + y.permute(0, 3, 1, 2)


def convnext(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return ConvNeXt's block."""
    return _ConvNeXt(rng, channels), channels


class _Up(nn.Module):
    """Down and up again, by one of the ways there are, and the sum with what was there."""

    def __init__(self, rng: random.Random, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels, 3, 2, 1)
        self.how = rng.choice(("nearest", "bilinear", "transposed", "shuffle"))
        self.transposed = nn.ConvTranspose2d(channels, channels, rng.choice((2, 4)), 2)
        self.wide = nn.Conv2d(channels, 4 * channels, 1)
        self.act = activation(rng)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act(self.down(x))
        if self.how == "transposed":
            y = self.transposed(y)
        elif self.how == "shuffle":
            y = F.pixel_shuffle(self.wide(y), 2)
        else:
            y = F.interpolate(y, scale_factor=2, mode=self.how)
        return x + y[:, :, : x.shape[2], : x.shape[3]]


def up(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return a convolution of stride 2, and back to the size."""
    return _Up(rng, channels), channels


class _Standardized(nn.Conv2d):
    """A convolution whose weights have mean 0 and deviation 1 (NFNet)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight
        mean = weight.mean((1, 2, 3), keepdim=True)
        deviation = weight.std((1, 2, 3), keepdim=True)
        return F.conv2d(x, (weight - mean) / (deviation + 1e-5), self.bias, padding=self.padding)


def standardized(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return a convolution with standardized weights."""
    conv = _Standardized(channels, channels, 3, padding=1)
    return nn.Sequential(conv, activation(rng)), channels


def pooled(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return a pool of stride 2, which may leave out a row or count one more."""
    kernel, ceil = rng.choice((2, 3)), rng.random() < 0.5
    kind = rng.choice((nn.MaxPool2d, nn.AvgPool2d))
    return kind(kernel, 2, kernel // 2 if kernel == 3 else 0, ceil_mode=ceil), channels


class _Softmaxed(nn.Module):
    """Channels weighted by a softmax over them at each pixel, with a learned norm."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x.softmax(1) + F.normalize(x, dim=1)


def softmaxed(rng: random.Random, channels: int) -> tuple[nn.Module, int]:
    """Return a softmax over the channels."""
    return _Softmaxed(), channels


BLOCKS: dict[str, Block] = {
    "convolution": convolution,
    "inverted residual": inverted_residual,
    "mixed depthwise": mixed_depthwise,
    "branches": branches,
    "shuffle": shuffle,
    "attention": attention,
    "convnext": convnext,
    "up": up,
    "standardized": standardized,
    "pooled": pooled,
    "softmaxed": softmaxed,
}
"""All kinds by name."""
