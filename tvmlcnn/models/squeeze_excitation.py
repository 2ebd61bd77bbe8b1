"""Squeeze-and-excitation: channels weighted by what the whole image shows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


class SqueezeExcitation(nn.Module):
    """Global average pool, two fully connected layers, channel-wise scale (arXiv:1709.01507).

    Parameters
    ----------
    channels : int
        Of input and output.
    squeezed : int
        Width between the two layers.
    gate : callable
        Class of the activation that makes the scales: `torch.nn.Sigmoid` as in the paper,
        `torch.nn.Hardsigmoid` in MobileNet V3.
    """

    def __init__(
        self, channels: int, squeezed: int, gate: Callable[[], nn.Module] = nn.Sigmoid
    ) -> None:
        super().__init__()
        # 1x1 convolutions are the fully connected layers that keep the tensor four-dimensional.
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x`` with its channels scaled."""
        scale = torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * self.gate(self.fc2(scale))
