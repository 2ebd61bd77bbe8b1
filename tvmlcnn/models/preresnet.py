"""Pre-activation ResNets for CIFAR, of hundreds of layers."""

from __future__ import annotations

import torch
from torch import nn

from tvmlcnn.models.cifar import CIFAR10
from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register


class PreactivationBottleneck(nn.Module):
    """BN-ReLU-1x1, BN-ReLU-3x3, BN-ReLU-1x1, and a shortcut with nothing on it.

    Where shapes change, the shortcut is a 1x1 convolution of the activated input.

    Parameters
    ----------
    in_channels : int
    channels : int
        Between the 1x1 convolutions; the output has four times as many.
    stride : int
        Of the 3x3.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        out = 4 * channels
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out, 1, bias=False)
        self.shortcut = (
            None
            if stride == 1 and in_channels == out
            else nn.Conv2d(in_channels, out, 1, stride, bias=False)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, 4 · channels, height / stride, width / stride)``."""
        active = torch.relu(self.bn1(x))
        y = torch.relu(self.bn2(self.conv1(active)))
        y = self.conv3(torch.relu(self.bn3(self.conv2(y))))
        return y + (x if self.shortcut is None else self.shortcut(active))


class PreactivationResNet(nn.Module):
    """Three stages of bottlenecks of 64, 128 and 256 channels at 32², 16² and 8².

    Parameters
    ----------
    depth : int
        Layers in all, 9n + 2.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        if not (11 <= depth <= 2000 and (depth - 2) % 9 == 0):
            raise ValueError(f"depth={depth} must be 9n + 2, as 164 or 1001, at most 2000")
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        blocks: list[PreactivationBottleneck] = []
        in_channels = 16
        for channels, first_stride in ((16, 1), (32, 2), (64, 2)):
            for index in range((depth - 2) // 9):
                stride = first_stride if index == 0 else 1
                blocks.append(PreactivationBottleneck(in_channels, channels, stride))
                in_channels = 4 * channels
        self.blocks = nn.Sequential(*blocks)
        self.bn = nn.BatchNorm2d(in_channels)
        self.fc = nn.Linear(in_channels, 10)
        initialize(self, [block.conv3 for block in blocks])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, 10)``."""
        x = torch.relu(self.bn(self.blocks(self.conv1(x))))
        return self.fc(x.mean((2, 3)))


@register(source="He et al. 2016, arXiv:1603.05027", **CIFAR10)
def preresnet_cifar(*, depth: int = 164) -> nn.Module:
    """Build a pre-activation ResNet for CIFAR-10 of ``depth`` layers, as 164 or 1001."""
    return PreactivationResNet(depth)
