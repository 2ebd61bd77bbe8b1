"""A network whose kernels no rule takes."""

from __future__ import annotations

import torch
from torch import nn


class Odd(nn.Module):
    """Products of all elements along two axes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(8, 32) + 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.weight).prod(1)[:, :8] + (x / 8 + 1).prod(2)


def seeded() -> nn.Module:
    """Return the same network each time."""
    torch.manual_seed(3)
    return Odd().eval()


class Product(nn.Module):
    """One of the two."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.prod(1)
