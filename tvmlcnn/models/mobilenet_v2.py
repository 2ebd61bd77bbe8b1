"""MobileNet V2: inverted residuals with linear bottlenecks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from tvmlcnn.models.channel_counts import check_factor, round_channels
from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register

# Expansion, output channels, repetitions, stride of the first: table 2 of the paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, linear 1x1 projection; a shortcut where shapes allow.

    Parameters
    ----------
    in_channels, out_channels : int
    stride : int
        Of the depthwise convolution, 1 or 2.
    expansion : int
        Factor from the input to the depthwise channels; 1 leaves the expansion out.
    activation : callable
        Makes the activation for a channel count.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        expansion: int = 6,
        activation: Callable[[int], nn.Module] = lambda channels: nn.ReLU6(),
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        act = partial(activation, hidden)
        self.shortcut = stride == 1 and in_channels == out_channels
        expand = [conv_bn(in_channels, hidden, 1, activation=act)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            conv_bn(hidden, hidden, 3, stride=stride, groups=hidden, activation=act),
            *conv_bn(hidden, out_channels, 1, activation=None),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, out_channels, height / stride, width / stride)``."""
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    """The network for a channel multiplier ``width``."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        check_factor("width", width)
        channels = round_channels(32 * width)
        blocks: list[nn.Module] = [conv_bn(3, channels, 3, stride=2, activation=nn.ReLU6)]
        for expansion, out, repetitions, first_stride in STAGES:
            out_channels = round_channels(out * width)
            for index in range(repetitions):
                stride = first_stride if index == 0 else 1
                blocks.append(InvertedResidual(channels, out_channels, stride, expansion))
                channels = out_channels
        # A narrow net keeps its 1280 features: they cost little and carry the classes.
        features = round_channels(1280 * max(1.0, width))
        blocks.append(conv_bn(channels, features, 1, activation=nn.ReLU6))
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(features, 1000))
        initialize(self, [b.conv for b in blocks if isinstance(b, InvertedResidual) and b.shortcut])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, 1000)``."""
        return self.classifier(self.features(x).mean((2, 3)))


@register(
    source="Sandler et al. 2018, arXiv:1801.04381",
    top1=72.0,
    torchvision="MobileNet_V2_Weights.IMAGENET1K_V1",
)
def mobilenet_v2(*, width: float = 1.0) -> nn.Module:
    """Build MobileNet V2; ``width`` multiplies the channels, rounded to eights."""
    return MobileNetV2(width)
