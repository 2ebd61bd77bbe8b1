"""MobileNet V3: inverted residuals with squeeze-and-excitation and h-swish."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from tvmlcnn.models.channel_counts import round_channels
from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register
from tvmlcnn.models.squeeze_excitation import SqueezeExcitation

# Kernel, expanded channels, output channels, squeeze-and-excitation, activation, stride of each
# block: tables 1 and 2 of the paper.
RE, HS = nn.ReLU, nn.Hardswish
Block = tuple[int, int, int, bool, Callable[[], nn.Module], int]
LARGE: tuple[Block, ...] = (
    (3, 16, 16, False, RE, 1),
    (3, 64, 24, False, RE, 2),
    (3, 72, 24, False, RE, 1),
    (5, 72, 40, True, RE, 2),
    (5, 120, 40, True, RE, 1),
    (5, 120, 40, True, RE, 1),
    (3, 240, 80, False, HS, 2),
    (3, 200, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1),
    (3, 480, 112, True, HS, 1),
    (3, 672, 112, True, HS, 1),
    (5, 672, 160, True, HS, 2),
    (5, 960, 160, True, HS, 1),
    (5, 960, 160, True, HS, 1),
)
SMALL: tuple[Block, ...] = (
    (3, 16, 16, True, RE, 2),
    (3, 72, 24, False, RE, 2),
    (3, 88, 24, False, RE, 1),
    (5, 96, 40, True, HS, 2),
    (5, 240, 40, True, HS, 1),
    (5, 240, 40, True, HS, 1),
    (5, 120, 48, True, HS, 1),
    (5, 144, 48, True, HS, 1),
    (5, 288, 96, True, HS, 2),
    (5, 576, 96, True, HS, 1),
    (5, 576, 96, True, HS, 1),
)
# The definition's batch norm; released weights need it.
EPS = 1e-3


class InvertedResidualV3(nn.Module):
    """Expansion, depthwise, squeeze-and-excitation, linear projection, shortcut where it fits.

    Parameters
    ----------
    in_channels : int
    expanded : int
        Depthwise channels; equal to ``in_channels`` leaves the expansion out.
    out_channels : int
    kernel, stride : int
        Of the depthwise convolution.
    squeeze_excitation : bool
        Squeezed to a quarter, with a hard sigmoid.
    activation : callable
        Class of the activation.
    """

    def __init__(
        self,
        in_channels: int,
        expanded: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        squeeze_excitation: bool = True,
        activation: Callable[[], nn.Module] = nn.Hardswish,
    ) -> None:
        super().__init__()
        self.shortcut = stride == 1 and in_channels == out_channels
        layers: list[nn.Module] = []
        if expanded != in_channels:
            layers.append(conv_bn(in_channels, expanded, 1, eps=EPS, activation=activation))
        layers.append(
            conv_bn(
                expanded,
                expanded,
                kernel,
                stride=stride,
                groups=expanded,
                eps=EPS,
                activation=activation,
            )
        )
        if squeeze_excitation:
            layers.append(SqueezeExcitation(expanded, round_channels(expanded / 4), nn.Hardsigmoid))
        layers.append(conv_bn(expanded, out_channels, 1, eps=EPS, activation=None))
        self.block = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, out_channels, height / stride, width / stride)``."""
        return x + self.block(x) if self.shortcut else self.block(x)


class MobileNetV3(nn.Module):
    """Stem, blocks given, a 1x1 convolution, average pool and two fully connected layers.

    Parameters
    ----------
    table : tuple
        One row a block, as `LARGE` and `SMALL`.
    hidden : int
        Width between the fully connected layers.
    """

    def __init__(self, table: tuple[Block, ...], hidden: int) -> None:
        super().__init__()
        channels = 16
        blocks: list[InvertedResidualV3] = []
        for kernel, expanded, out, squeeze_excitation, activation, stride in table:
            blocks.append(
                InvertedResidualV3(
                    channels, expanded, out, kernel, stride, squeeze_excitation, activation
                )
            )
            channels = out
        features = 6 * channels
        self.features = nn.Sequential(
            conv_bn(3, 16, 3, stride=2, eps=EPS, activation=nn.Hardswish),
            *blocks,
            conv_bn(channels, features, 1, eps=EPS, activation=nn.Hardswish),
        )
        self.classifier = nn.Sequential(
            nn.Linear(features, hidden), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(hidden, 1000)
        )
        initialize(self, [block.block for block in blocks if block.shortcut])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, 1000)``."""
        return self.classifier(self.features(x).mean((2, 3)))


@register(
    source="Howard et al. 2019, arXiv:1905.02244",
    top1=67.4,
    torchvision="MobileNet_V3_Small_Weights.IMAGENET1K_V1",
)
def mobilenet_v3_small() -> nn.Module:
    """Build MobileNet V3 small."""
    return MobileNetV3(SMALL, 1024)


@register(
    source="Howard et al. 2019, arXiv:1905.02244",
    top1=75.2,
    torchvision="MobileNet_V3_Large_Weights.IMAGENET1K_V1",
)
def mobilenet_v3_large() -> nn.Module:
    """Build MobileNet V3 large."""
    return MobileNetV3(LARGE, 1280)
