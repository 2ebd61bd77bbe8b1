"""MobileFaceNet: a face as a vector of 128 numbers."""

from __future__ import annotations

import torch
from torch import nn

from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.mobilenet_v2 import InvertedResidual
from tvmlcnn.models.registry import register
from tvmlcnn.runtime.preprocessing import Preprocessing

# Expansion, output channels, repetitions, stride of the first: table 1 of the paper.
STAGES = (
    (2, 64, 5, 2),
    (4, 128, 1, 2),
    (2, 128, 6, 1),
    (4, 128, 1, 2),
    (2, 128, 2, 1),
)


class GlobalDepthwiseConv(nn.Sequential):
    """Depthwise convolution as large as its input: a global pooling with learned weights.

    Parameters
    ----------
    channels : int
        Input, output and groups.
    size : int
        Side of the square input and of the kernel; the output is 1x1.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, size, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
        )


class MobileFaceNet(nn.Module):
    """The network for square faces of ``resolution``."""

    def __init__(self, resolution: int = 112) -> None:
        super().__init__()
        if not (16 <= resolution <= 1024 and resolution % 16 == 0):
            raise ValueError(f"resolution={resolution} must be a multiple of 16, at most 1024")
        channels = 64
        blocks: list[InvertedResidual] = []
        for expansion, out, repetitions, first_stride in STAGES:
            for index in range(repetitions):
                stride = first_stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, out, stride, expansion, nn.PReLU))
                channels = out
        self.features = nn.Sequential(
            conv_bn(3, 64, stride=2, activation=lambda: nn.PReLU(64)),
            conv_bn(64, 64, groups=64, activation=lambda: nn.PReLU(64)),
            *blocks,
            conv_bn(channels, 512, 1, activation=lambda: nn.PReLU(512)),
        )
        self.pool = GlobalDepthwiseConv(512, resolution // 16)
        self.embedding = conv_bn(512, 128, 1, activation=None)
        initialize(self, [block.conv for block in blocks if block.shortcut])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return embeddings of ``(batch, 128)``."""
        return self.embedding(self.pool(self.features(x))).flatten(1)


@register(
    source="Chen et al. 2018, arXiv:1804.07573",
    input_shape=(1, 3, 112, 112),
    # (pixel - 127.5) / 128, of a face that is already cropped.
    preprocessing=Preprocessing(crop_ratio=1.0, mean=(0.5,) * 3, std=(128 / 255,) * 3),
    labels=None,
)
def mobilefacenet(*, resolution: int = 112) -> nn.Module:
    """Build MobileFaceNet; the output is the 128-d embedding, not normalized.

    Parameters
    ----------
    resolution : int
        Side of the input, a multiple of 16; it sets the size of the global depthwise kernel.
    """
    return MobileFaceNet(resolution)
