"""Random light networks, the same for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import nn

from .blocks import activation
from .more_blocks import BLOCKS

_SIZES = (32, 48, 64, 75, 96, 112, 130, 160)
_MOST_CHANNELS, _SMALLEST_MAP = 256, 8


@dataclass(frozen=True)
class RandomNetwork:
    """A network.

    Attributes
    ----------
    name : str
        Its seed.
    kinds : tuple of str
        Its blocks.
    module : torch.nn.Module
        In evaluation mode, with statistics that do something.
    shape : tuple of int
        Of its input.
    """

    name: str
    kinds: tuple[str, ...]
    module: nn.Module
    shape: tuple[int, int, int, int]


def random_network(seed: int) -> RandomNetwork:
    """Return the network of a seed: a stem, up to eight blocks, and a classifier."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    shape = (1, rng.choice((1, 3, 3, 3)), rng.choice(_SIZES), rng.choice(_SIZES))
    channels = rng.choice((16, 24, 32))
    stem = nn.Sequential(
        nn.Conv2d(shape[1], channels, 3, rng.choice((1, 2)), 1),
        nn.BatchNorm2d(channels),
        activation(rng),
    )
    layers, kinds = [stem], []
    with torch.no_grad():
        sample = stem.eval()(torch.zeros(shape))
        for _ in range(rng.randint(3, 8)):
            kind = rng.choice(list(BLOCKS))
            block, made = BLOCKS[kind](rng, channels)
            result = block.eval()(sample)
            if made > _MOST_CHANNELS or min(result.shape[2:]) < _SMALLEST_MAP:
                continue
            layers.append(block)
            kinds.append(kind)
            channels, sample = made, result
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    module = nn.Sequential(*layers, head).eval()
    _randomize(module, seed)
    return RandomNetwork(f"seed {seed}", tuple(kinds), module, shape)


def _randomize(module: nn.Module, seed: int) -> None:
    """Give every batch normalization statistics as training leaves them."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            size = layer.running_mean.shape
            layer.running_mean.copy_(torch.randn(size, generator=generator) * 0.1)
            layer.running_var.copy_(torch.rand(size, generator=generator) + 0.5)
