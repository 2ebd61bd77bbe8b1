"""ResNet, ResNeXt and SE-ResNet for ImageNet: bottlenecks of 50 and 101 layers."""

from __future__ import annotations

import torch
from torch import nn

from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register
from tvmlcnn.models.squeeze_excitation import SqueezeExcitation

# Bottlenecks in each of the four stages.
DEPTH_50 = (3, 4, 6, 3)
DEPTH_101 = (3, 4, 23, 3)


class Bottleneck(nn.Module):
    """1x1 reduction, 3x3 (grouped in a ResNeXt), 1x1 expansion, and a shortcut.

    The stride is in the 3x3, as in every released checkpoint; the first paper had it in the 1x1.

    Parameters
    ----------
    in_channels : int
    channels : int
        Of the stage, 64 to 512; the output has four times as many.
    stride : int
    cardinality, width : int
        Groups of the 3x3, and channels a group in the first stage.
    squeeze_excitation : bool
        Weight the channels before the addition, squeezed by 16.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int = 1,
        cardinality: int = 1,
        width: int = 64,
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__()
        inner, out = channels * width // 64 * cardinality, 4 * channels
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=cardinality, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.se = SqueezeExcitation(out, out // 16) if squeeze_excitation else nn.Identity()
        self.downsample = (
            nn.Identity()
            if stride == 1 and in_channels == out
            else conv_bn(in_channels, out, 1, stride=stride, activation=None)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, 4 · channels, height / stride, width / stride)``."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.se(self.bn3(self.conv3(y)))
        return torch.relu(y + self.downsample(x))


class ResNet(nn.Module):
    """Stem, four stages of bottlenecks, average pool and classifier.

    Parameters
    ----------
    depths : tuple of int
        Bottlenecks a stage.
    cardinality, width, squeeze_excitation
        As for `Bottleneck`.
    """

    def __init__(
        self,
        depths: tuple[int, ...],
        cardinality: int = 1,
        width: int = 64,
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__()
        if not (cardinality >= 1 and width >= 1 and cardinality * width <= 1024):
            raise ValueError(
                f"cardinality={cardinality}, width={width} must be 1 or more, "
                "their product at most 1024"
            )
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        in_channels = 64
        stages, last = [], []
        for stage, depth in enumerate(depths):
            channels = 64 * 2**stage
            blocks = []
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(
                    Bottleneck(
                        in_channels, channels, stride, cardinality, width, squeeze_excitation
                    )
                )
                in_channels = 4 * channels
            last += [block.conv3 for block in blocks]
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Linear(in_channels, 1000)
        initialize(self, last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, 1000)``."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


@register(
    source="He et al. 2015, arXiv:1512.03385",
    top1=76.1,
    torchvision="ResNet50_Weights.IMAGENET1K_V1",
)
def resnet50() -> nn.Module:
    """Build ResNet-50."""
    return ResNet(DEPTH_50)


@register(
    source="He et al. 2015, arXiv:1512.03385",
    top1=78.0,
    torchvision="ResNet101_Weights.IMAGENET1K_V1",
)
def resnet101() -> nn.Module:
    """Build ResNet-101."""
    return ResNet(DEPTH_101)


@register(source="Xie et al. 2016, arXiv:1611.05431", top1=77.8)
def resnext50(*, cardinality: int = 32, width: int = 4) -> nn.Module:
    """Build ResNeXt-50 of any equal-cost pair: 1x64, 2x40, 4x24, 8x14, 32x4."""
    return ResNet(DEPTH_50, cardinality, width)


@register(source="Xie et al. 2016, arXiv:1611.05431", top1=78.8)
def resnext101(*, cardinality: int = 32, width: int = 4) -> nn.Module:
    """Build ResNeXt-101 of any pair of cardinality and width."""
    return ResNet(DEPTH_101, cardinality, width)


@register(
    source="Xie et al. 2016, arXiv:1611.05431",
    top1=77.8,
    torchvision="ResNeXt50_32X4D_Weights.IMAGENET1K_V1",
)
def resnext50_32x4d() -> nn.Module:
    """Build ResNeXt-50 32x4d."""
    return ResNet(DEPTH_50, 32, 4)


@register(
    source="Xie et al. 2016, arXiv:1611.05431",
    top1=79.3,
    torchvision="ResNeXt101_32X8D_Weights.IMAGENET1K_V1",
)
def resnext101_32x8d() -> nn.Module:
    """Build ResNeXt-101 32x8d."""
    return ResNet(DEPTH_101, 32, 8)


@register(source="Hu et al. 2017, arXiv:1709.01507", top1=76.7)
def se_resnet50() -> nn.Module:
    """Build ResNet-50 with squeeze-and-excitation in every bottleneck."""
    return ResNet(DEPTH_50, squeeze_excitation=True)
