"""MobileNet V1: depthwise-separable convolutions."""

from __future__ import annotations

import torch
from torch import nn

from tvmlcnn.models.channel_counts import check_factor, round_channels
from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register

# Stride and output channels of each block: table 1 of the paper.
BLOCKS = (
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *((1, 512),) * 5,
    (2, 1024),
    (1, 1024),
)


class SeparableConv(nn.Sequential):
    """3x3 depthwise and 1x1 convolution, each with batch norm and ReLU.

    Parameters
    ----------
    in_channels, out_channels : int
    stride : int
        Of the depthwise convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(
            conv_bn(in_channels, in_channels, 3, stride=stride, groups=in_channels),
            conv_bn(in_channels, out_channels, 1),
        )


class MobileNetV1(nn.Module):
    """The network for a channel multiplier ``width``, and the two it is compared with."""

    def __init__(
        self, width: float = 1.0, shallow: bool = False, full_convolution: bool = False
    ) -> None:
        super().__init__()
        check_factor("width", width)
        channels = round_channels(32 * width)
        blocks: list[nn.Module] = [conv_bn(3, channels, 3, stride=2)]
        for stride, out in [block for block in BLOCKS if not (shallow and block == (1, 512))]:
            out_channels = round_channels(out * width)
            blocks.append(
                conv_bn(channels, out_channels, 3, stride=stride)
                if full_convolution
                else SeparableConv(channels, out_channels, stride)
            )
            channels = out_channels
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels, 1000)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, 1000)``."""
        return self.classifier(self.features(x).mean((2, 3)))


@register(source="Howard et al. 2017, arXiv:1704.04861", top1=70.6)
def mobilenet_v1(
    *, width: float = 1.0, shallow: bool = False, full_convolution: bool = False
) -> nn.Module:
    """Build MobileNet V1.

    Parameters
    ----------
    width : float
        Multiplies the channels, rounded to eights; the paper has 1, 0.75, 0.5 and 0.25.
    shallow : bool
        Leave out the five blocks of 512 channels at 14x14.
    full_convolution : bool
        A full 3x3 convolution in the place of every separable one.
    """
    return MobileNetV1(width, shallow, full_convolution)
