"""A small MobileNet, and scikit-learn's digits."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from tvmlcnn.models.conv_bn import conv_bn


class SmallMobileNet(nn.Module):
    """Inverted residuals, and a gate as squeeze-and-excitation has it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(1, 16, activation=nn.ReLU6)
        self.first = self._block(16, 1, nn.ReLU6)
        self.second = self._block(16, 2, nn.Hardswish, 24)
        self.third = self._block(24, 1, nn.SiLU)
        self.squeeze = nn.Conv2d(24, 8, 1)
        self.excite = nn.Conv2d(8, 24, 1)
        self.classifier = nn.Linear(24, 10)

    @staticmethod
    def _block(channels: int, stride: int, activation: type, out: int = 0) -> nn.Sequential:
        wide = 3 * channels
        return nn.Sequential(
            conv_bn(channels, wide, 1, activation=activation),
            conv_bn(wide, wide, 3, stride=stride, groups=wide, activation=activation),
            conv_bn(wide, out or channels, 1, activation=None),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.first(x)
        x = self.second(x)
        x = x + self.third(x)
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        return self.classifier((x * gate).mean((2, 3)))


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return all pictures, of shape (1797, 1, 8, 8) and -1 to 1, and their digits; shuffled."""
    data = load_digits()
    order = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(0))
    pictures = torch.tensor(data.images, dtype=torch.float32)[:, None] / 8 - 1
    return pictures[order], torch.tensor(data.target)[order]


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int, rate: float) -> None:
    """Train a module, in the mode that it is in, on batches of 64."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    steps = epochs * (len(x) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for batch in order.split(64):
            if len(batch) == 64:
                optimizer.zero_grad()
                F.cross_entropy(model(x[batch]), y[batch]).backward()
                optimizer.step()
                schedule.step()


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Return the share in percent that a module of batches of 64 gets right."""
    with torch.no_grad():
        scores = torch.cat([model(part) for part in x.split(64) if len(part) == 64])
    return 100 * float((scores.argmax(1) == y[: len(scores)]).float().mean())
