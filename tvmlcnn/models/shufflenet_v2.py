"""ShuffleNet V2: channel split, one branch of full-width convolutions, shuffle."""

from __future__ import annotations

import torch
from torch import nn

from tvmlcnn.models.channel_shuffle import channel_shuffle
from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register
from tvmlcnn.runtime.preprocessing import Preprocessing

# The released weights of the two wider nets were evaluated with a thinner margin.
WIDE_CROP = Preprocessing(crop_ratio=224 / 232)


class ShuffleUnitV2(nn.Module):
    """Half the channels pass unchanged, half through 1x1, 3x3 depthwise and 1x1; then shuffle.

    With stride 2 both branches read the whole input and are convolved.

    Parameters
    ----------
    in_channels, out_channels : int
        Equal for stride 1; ``out_channels`` even.
    stride : int
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        half = out_channels // 2
        self.branch1 = (
            None
            if stride == 1
            else nn.Sequential(
                *conv_bn(
                    in_channels, in_channels, stride=stride, groups=in_channels, activation=None
                ),
                *conv_bn(in_channels, half, 1),
            )
        )
        self.branch2 = nn.Sequential(
            *conv_bn(half if stride == 1 else in_channels, half, 1),
            *conv_bn(half, half, stride=stride, groups=half, activation=None),
            *conv_bn(half, half, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, out_channels, height / stride, width / stride)``."""
        if self.branch1 is None:
            kept, changed = x.chunk(2, 1)
            y = torch.cat([kept, self.branch2(changed)], 1)
        else:
            y = torch.cat([self.branch1(x), self.branch2(x)], 1)
        return channel_shuffle(y, 2)


class ShuffleNetV2(nn.Module):
    """Stem, three stages of 4, 8 and 4 units, a 1x1 convolution, average pool, classifier.

    Parameters
    ----------
    widths : tuple of int
        Channels of the three stages and of the last convolution.
    """

    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        channels = 24
        self.conv1 = conv_bn(3, channels, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        stages = []
        for units, width in zip((4, 8, 4), widths[:3], strict=True):
            first = ShuffleUnitV2(channels, width, 2)
            rest = [ShuffleUnitV2(width, width) for _ in range(units - 1)]
            stages.append(nn.Sequential(first, *rest))
            channels = width
        self.stage2, self.stage3, self.stage4 = stages
        self.conv5 = conv_bn(channels, widths[3], 1)
        self.fc = nn.Linear(widths[3], 1000)
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, 1000)``."""
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        return self.fc(self.conv5(x).mean((2, 3)))


@register(
    source="Ma et al. 2018, arXiv:1807.11164",
    top1=60.3,
    torchvision="ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1",
)
def shufflenet_v2_x0_5() -> nn.Module:
    """Build ShuffleNet V2 0.5x."""
    return ShuffleNetV2((48, 96, 192, 1024))


@register(
    source="Ma et al. 2018, arXiv:1807.11164",
    top1=69.4,
    torchvision="ShuffleNet_V2_X1_0_Weights.IMAGENET1K_V1",
)
def shufflenet_v2_x1_0() -> nn.Module:
    """Build ShuffleNet V2 1x."""
    return ShuffleNetV2((116, 232, 464, 1024))


@register(
    source="Ma et al. 2018, arXiv:1807.11164",
    top1=72.6,
    preprocessing=WIDE_CROP,
    torchvision="ShuffleNet_V2_X1_5_Weights.IMAGENET1K_V1",
)
def shufflenet_v2_x1_5() -> nn.Module:
    """Build ShuffleNet V2 1.5x."""
    return ShuffleNetV2((176, 352, 704, 1024))


@register(
    source="Ma et al. 2018, arXiv:1807.11164",
    top1=74.9,
    preprocessing=WIDE_CROP,
    torchvision="ShuffleNet_V2_X2_0_Weights.IMAGENET1K_V1",
)
def shufflenet_v2_x2_0() -> nn.Module:
    """Build ShuffleNet V2 2x."""
    return ShuffleNetV2((244, 488, 976, 2048))
