"""SqueezeNet 1.0 and 1.1: fire modules, and bypasses around them."""

from __future__ import annotations

import torch
from torch import nn

from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register


class Fire(nn.Module):
    """1x1 squeeze, then 1x1 and 3x3 expansions side by side.

    Parameters
    ----------
    in_channels : int
    squeeze : int
        Channels between squeeze and expansions.
    expand : int
        Channels of each of the two expansions; the output has twice as many.
    bypass : torch.nn.Module or None
        Applied to the input and added to the output.
    """

    def __init__(
        self, in_channels: int, squeeze: int, expand: int, bypass: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.bypass = bypass

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(batch, 2 · expand, height, width)``."""
        squeezed = torch.relu(self.squeeze(x))
        y = torch.cat(
            [torch.relu(self.expand1x1(squeezed)), torch.relu(self.expand3x3(squeezed))], 1
        )
        return y if self.bypass is None else y + self.bypass(x)


class SqueezeNet(nn.Module):
    """Features given, then a convolution to the classes and an average pool.

    Parameters
    ----------
    features : torch.nn.Sequential
        Layers that end in 512 channels.
    """

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        self.features = features
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(512, 1000, 1), nn.ReLU())
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, 1000)``."""
        return self.classifier(self.features(x)).mean((2, 3))


@register(
    source="Iandola et al. 2016, arXiv:1602.07360",
    top1=57.5,
    torchvision="SqueezeNet1_0_Weights.IMAGENET1K_V1",
)
def squeezenet1_0(*, bypass: str = "none") -> nn.Module:
    """Build SqueezeNet 1.0.

    Parameters
    ----------
    bypass : str
        ``"simple"`` for identities around the fires 3, 5, 7 and 9, which keep their channel
        count; ``"complex"`` for 1x1 convolutions around the other fires too; or ``"none"``.
    """
    if bypass not in ("none", "simple", "complex"):
        raise ValueError(f"bypass={bypass} must be none, simple or complex")

    def fire(in_channels: int, squeeze: int, expand: int) -> Fire:
        around: nn.Module | None = None
        if bypass != "none" and in_channels == 2 * expand:
            around = nn.Identity()
        elif bypass == "complex":
            around = nn.Conv2d(in_channels, 2 * expand, 1)
        return Fire(in_channels, squeeze, expand, around)

    return SqueezeNet(
        nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=2),
            nn.ReLU(),
            _pool(),
            fire(96, 16, 64),
            fire(128, 16, 64),
            fire(128, 32, 128),
            _pool(),
            fire(256, 32, 128),
            fire(256, 48, 192),
            fire(384, 48, 192),
            fire(384, 64, 256),
            _pool(),
            fire(512, 64, 256),
        )
    )


@register(
    source="Iandola et al. 2016, arXiv:1602.07360",
    top1=58.2,
    torchvision="SqueezeNet1_1_Weights.IMAGENET1K_V1",
)
def squeezenet1_1() -> nn.Module:
    """Build SqueezeNet 1.1: the pools come earlier, which leaves 2.4 times fewer operations."""
    return SqueezeNet(
        nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(),
            _pool(),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            _pool(),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            _pool(),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
    )


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)
