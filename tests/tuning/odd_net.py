"""A network whose kernels no rule takes."""

from __future__ import annotations

import torch
from torch import nn


class Odd(nn.Module):
    """A convolution of one dimension and normalizations."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.conv = nn.LayerNorm(32), nn.Conv1d(8, 16, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.conv(self.norm(x)), 1)


def seeded() -> nn.Module:
    """Return the same network each time."""
    torch.manual_seed(3)
    return Odd().eval()
