"""DenseNet for ImageNet and for CIFAR: every layer reads all that came before it."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from tvmlcnn.models.cifar import CIFAR10
from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register


class DenseLayer(nn.Module):
    """BN-ReLU-1x1-BN-ReLU-3x3, its ``growth`` channels appended to the input.

    Parameters
    ----------
    in_channels : int
    growth : int
    bottleneck : bool
        False leaves the 1x1 to 4·growth channels out.
    """

    def __init__(self, in_channels: int, growth: int, bottleneck: bool = True) -> None:
        super().__init__()
        self.bottleneck = bottleneck
        self.norm1 = nn.BatchNorm2d(in_channels)
        if bottleneck:
            self.conv1 = nn.Conv2d(in_channels, 4 * growth, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(4 * growth)
            self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, growth, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, in_channels + growth, height, width)``."""
        y = self.conv1(torch.relu(self.norm1(x)))
        if self.bottleneck:
            y = self.conv2(torch.relu(self.norm2(y)))
        return torch.cat([x, y], 1)


class Transition(nn.Module):
    """BN-ReLU-1x1 and a 2x2 average pool between two dense blocks."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, out_channels, height / 2, width / 2)``."""
        return self.pool(self.conv(torch.relu(self.norm(x))))


class DenseNet(nn.Module):
    """Stem, dense blocks with transitions between them, average pool and classifier.

    Parameters
    ----------
    growth : int
    depths : tuple of int
        Layers a block.
    stem_channels : int
    classes : int
        1000 gives ImageNet's stem of 7x7/2 and max pool, fewer the 3x3 of CIFAR.
    bottleneck : bool
        As for `DenseLayer`.
    compression : float
        Output over input channels of a transition.
    """

    def __init__(
        self,
        growth: int,
        depths: tuple[int, ...],
        stem_channels: int,
        classes: int = 1000,
        bottleneck: bool = True,
        compression: float = 0.5,
    ) -> None:
        super().__init__()
        if not 1 <= growth <= 256:
            raise ValueError(f"growth={growth} must be between 1 and 256")
        channels = stem_channels
        self.features = nn.Sequential()
        if classes == 1000:
            self.features.add_module("conv0", nn.Conv2d(3, channels, 7, 2, 3, bias=False))
            self.features.add_module("norm0", nn.BatchNorm2d(channels))
            self.features.add_module("relu0", nn.ReLU())
            self.features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        else:
            self.features.add_module("conv0", nn.Conv2d(3, channels, 3, 1, 1, bias=False))
        for number, depth in enumerate(depths, 1):
            if number > 1:
                compressed = int(channels * compression)
                self.features.add_module(
                    f"transition{number - 1}", Transition(channels, compressed)
                )
                channels = compressed
            block = nn.Sequential()
            for index in range(1, depth + 1):
                block.add_module(f"denselayer{index}", DenseLayer(channels, growth, bottleneck))
                channels += growth
            self.features.add_module(f"denseblock{number}", block)
        self.features.add_module(f"norm{len(depths) + 1}", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, classes)
        initialize(self)
        self.register_load_state_dict_pre_hook(_accept_released_keys)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, classes)``."""
        return self.classifier(torch.relu(self.features(x)).mean((2, 3)))


def _accept_released_keys(
    module: nn.Module, state_dict: dict[str, Any], prefix: str, *unused: Any
) -> None:
    """Rename the ``norm.1`` and ``conv.2`` of torchvision's released files to ``norm1`` ..."""
    for key in list(state_dict):
        renamed = re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", key)
        state_dict[renamed] = state_dict.pop(key)


def _imagenet(depths: tuple[int, ...]) -> nn.Module:
    return DenseNet(32, depths, stem_channels=64)


@register(
    source="Huang et al. 2016, arXiv:1608.06993",
    top1=74.98,
    torchvision="DenseNet121_Weights.IMAGENET1K_V1",
)
def densenet121() -> nn.Module:
    """Build DenseNet-121."""
    return _imagenet((6, 12, 24, 16))


@register(
    source="Huang et al. 2016, arXiv:1608.06993",
    top1=76.2,
    torchvision="DenseNet169_Weights.IMAGENET1K_V1",
)
def densenet169() -> nn.Module:
    """Build DenseNet-169."""
    return _imagenet((6, 12, 32, 32))


@register(
    source="Huang et al. 2016, arXiv:1608.06993",
    top1=77.42,
    torchvision="DenseNet201_Weights.IMAGENET1K_V1",
)
def densenet201() -> nn.Module:
    """Build DenseNet-201."""
    return _imagenet((6, 12, 48, 32))


@register(source="Huang et al. 2016, arXiv:1608.06993", top1=77.85)
def densenet264() -> nn.Module:
    """Build DenseNet-264."""
    return _imagenet((6, 12, 64, 48))


@register(source="Huang et al. 2016, arXiv:1608.06993", **CIFAR10)
def densenet_cifar(*, growth: int = 12, depth: int = 40) -> nn.Module:
    """Build DenseNet for CIFAR-10: three equal blocks, no bottleneck, no compression."""
    if not (7 <= depth <= 400 and (depth - 4) % 3 == 0):
        raise ValueError(f"depth={depth} must be 3n + 4, as 40 or 100, at most 400")
    return DenseNet(growth, ((depth - 4) // 3,) * 3, 16, 10, bottleneck=False, compression=1.0)


@register(source="Huang et al. 2016, arXiv:1608.06993", **CIFAR10)
def densenet_bc_cifar(*, growth: int = 12, depth: int = 100) -> nn.Module:
    """Build DenseNet-BC for CIFAR-10: with bottlenecks and compression."""
    if not (10 <= depth <= 400 and (depth - 4) % 6 == 0):
        raise ValueError(f"depth={depth} must be 6n + 4, as 100, 190 or 250, at most 400")
    return DenseNet(growth, ((depth - 4) // 6,) * 3, 2 * growth, 10)
