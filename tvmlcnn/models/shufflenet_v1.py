"""ShuffleNet V1: pointwise group convolutions and channel shuffle."""

from __future__ import annotations

import math

import torch
from torch import nn

from tvmlcnn.models.channel_shuffle import channel_shuffle
from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register
from tvmlcnn.models.squeeze_excitation import SqueezeExcitation

# Groups to the channels of the three stages: table 1 of the paper.
STAGE_CHANNELS = {
    1: (144, 288, 576),
    2: (200, 400, 800),
    3: (240, 480, 960),
    4: (272, 544, 1088),
    8: (384, 768, 1536),
}


class ShuffleUnit(nn.Module):
    """Grouped 1x1, shuffle, 3x3 depthwise, grouped 1x1, and a shortcut.

    With stride 2 the shortcut is an average pool, concatenated rather than added.

    Parameters
    ----------
    in_channels, out_channels : int
        Equal for stride 1. The channels between are a quarter of the output.
    groups : int
        Of the 1x1 convolutions; divides ``out_channels``, and with stride 2 its difference to
        ``in_channels``.
    stride : int
    group_first : bool
        False for the first unit of a net, whose few input channels are not grouped.
    squeeze_excitation : bool
        Weight the channels of the branch, before the shortcut joins it, squeezed by 16.
    shuffle : bool
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        groups: int = 3,
        stride: int = 1,
        group_first: bool = True,
        squeeze_excitation: bool = False,
        shuffle: bool = True,
    ) -> None:
        super().__init__()
        # Rounded up to a whole number of channels a group.
        bottleneck = -(-out_channels // (4 * groups)) * groups
        branch = out_channels if stride == 1 else out_channels - in_channels
        self.groups = groups
        self.shuffle = shuffle
        self.compress = conv_bn(in_channels, bottleneck, 1, groups=groups if group_first else 1)
        self.depthwise = conv_bn(
            bottleneck, bottleneck, 3, stride=stride, groups=bottleneck, activation=None
        )
        self.expand = conv_bn(bottleneck, branch, 1, groups=groups, activation=None)
        self.se = (
            SqueezeExcitation(branch, max(1, branch // 16)) if squeeze_excitation else nn.Identity()
        )
        self.pool = None if stride == 1 else nn.AvgPool2d(3, stride, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, out_channels, height / stride, width / stride)``."""
        y = self.compress(x)
        if self.shuffle:
            y = channel_shuffle(y, self.groups)
        y = self.se(self.expand(self.depthwise(y)))
        return torch.relu(x + y if self.pool is None else torch.cat([self.pool(x), y], 1))


class ShuffleNetV1(nn.Module):
    """Stem, three stages of shuffle units, average pool and classifier."""

    def __init__(
        self,
        groups: int = 3,
        scale: float = 1.0,
        squeeze_excitation: bool = False,
        shuffle: bool = True,
        shallow: bool = False,
    ) -> None:
        super().__init__()
        if groups not in STAGE_CHANNELS:
            raise ValueError(
                f"groups={groups} must be one of {', '.join(map(str, STAGE_CHANNELS))}"
            )
        if not 0.25 <= scale <= 4:
            raise ValueError(f"scale={scale} must be between 0.25 and 4")
        # The paper does not say how the 24 channels of the stem scale. By powers of two and not
        # below 12 gives its complexities of 13, 38, 137, 292 and 524 M for three groups.
        stem = max(12, 24 * 2 ** math.floor(math.log2(scale)))
        channels = math.ceil(stem / groups) * groups
        self.conv1 = conv_bn(3, channels, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        units: list[ShuffleUnit] = []
        for repetitions, width in zip((4, 8, 4), STAGE_CHANNELS[groups], strict=True):
            out = round(width * scale / groups) * groups
            for index in range(repetitions // 2 if shallow else repetitions):
                units.append(
                    ShuffleUnit(
                        channels,
                        out,
                        groups,
                        stride=2 if index == 0 else 1,
                        group_first=bool(units),
                        squeeze_excitation=squeeze_excitation,
                        shuffle=shuffle,
                    )
                )
                channels = out
        self.units = nn.Sequential(*units)
        self.fc = nn.Linear(channels, 1000)
        initialize(self, [unit.expand for unit in units if unit.pool is None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, 1000)``."""
        return self.fc(self.units(self.maxpool(self.conv1(x))).mean((2, 3)))


@register(source="Zhang et al. 2017, arXiv:1707.01083", top1=67.4)
def shufflenet_v1(
    *,
    groups: int = 3,
    scale: float = 1.0,
    squeeze_excitation: bool = False,
    shuffle: bool = True,
    shallow: bool = False,
) -> nn.Module:
    """Build ShuffleNet V1.

    Parameters
    ----------
    groups : int
        Of the 1x1 convolutions: 1, 2, 3, 4 or 8; more groups come with more channels.
    scale : float
        Multiplies the channels; the paper has 0.25, 0.5, 1, 1.5 and 2.
    squeeze_excitation : bool
        Squeeze-and-excitation in every unit.
    shuffle : bool
        False leaves the groups apart, as in the paper's ablation.
    shallow : bool
        Half the units in each stage.
    """
    return ShuffleNetV1(groups, scale, squeeze_excitation, shuffle, shallow)
