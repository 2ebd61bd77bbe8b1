"""AlexNet, in one column and in the two of 2012."""

from __future__ import annotations

import torch
from torch import nn

from tvmlcnn.models.initialization import initialize
from tvmlcnn.models.registry import register


class AlexNet(nn.Module):
    """Three fully connected layers behind the convolutions given.

    Parameters
    ----------
    features : torch.nn.Sequential
        Convolutions that end in 256 channels.
    """

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, 1000),
        )
        initialize(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits of ``(batch, 1000)``."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


@register(
    source="Krizhevsky 2014, arXiv:1404.5997",
    top1=56.5,
    torchvision="AlexNet_Weights.IMAGENET1K_V1",
)
def alexnet() -> nn.Module:
    """Build the one-column AlexNet: no groups, no response normalization."""
    return AlexNet(
        nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
    )


@register(source="Krizhevsky, Sutskever, Hinton 2012", top1=57.2)
def alexnet_grouped() -> nn.Module:
    """Build AlexNet as in 2012: two GPUs' columns as two groups, response normalization."""
    return AlexNet(
        nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4, padding=2),
            nn.ReLU(),
            _response_norm(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(96, 256, 5, padding=2, groups=2),
            nn.ReLU(),
            _response_norm(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
    )


def _response_norm() -> nn.Module:
    # Torch divides alpha by the size of the window; the paper's 1e-4 is not divided.
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
