"""Parts of what a kernel computes, as the one row that goes on: tiles are as for all of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import compiled, relative_error
from torch import nn

from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import DEVICES

PARTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "first row": lambda x: x[:, :, :1],
    "last pixel": lambda x: x[:, :, -1, -1],
    "every other": lambda x: x[..., ::2, ::2],
    "channels": lambda x: x[:, ::2],
    "pictures": lambda x: x[1:],
}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "pointwise": lambda: nn.Conv2d(16, 16, 1),
    "dense": lambda: nn.Conv2d(16, 16, 3, padding=1),
    "depthwise": lambda: nn.Conv2d(16, 16, 3, padding=1, groups=16),
    "grouped": lambda: nn.Conv2d(16, 16, 3, padding=1, groups=4),
    "pooling": lambda: nn.AvgPool2d(3, 1, 1),
}


class Part(nn.Module):
    def __init__(self, layer: str, part: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.layer = nn.Conv2d(3, 16, 3, 2, 1), LAYERS[layer]()
        self.part = PARTS[part]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.part(torch.relu(self.layer(torch.relu(self.first(x)))))


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("layer", LAYERS)
def test_after_each_layer(layer: str, part: str) -> None:
    error, _ = relative_error(Part(layer, part), (2, 3, 21, 20), DEVICES["x86"])
    assert error < 1e-5


@pytest.mark.parametrize("layer", ["pointwise", "depthwise"])
def test_on_a_gpu(layer: str) -> None:
    mod = compiled(Part(layer, "first row"), (2, 3, 21, 20), DEVICES["jetson-orin-nano"])
    assert kernels_by_rule(mod)


def test_means_of_several_maps_on_a_gpu() -> None:
    net = nn.Sequential(nn.Conv2d(3, 40, 3), nn.AdaptiveAvgPool2d(1))
    assert kernels_by_rule(compiled(net, (3, 3, 9, 9), DEVICES["jetson-orin-nano"]))["pooling"]


def test_tokens() -> None:
    """The class token alone goes on from a vision transformer's last layer."""

    class Tokens(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self[1](x + torch.relu(self[0](x)))[:, 0]

    error, _ = relative_error(
        Tokens(nn.Linear(24, 24), nn.Linear(24, 10)), (1, 65, 24), DEVICES["x86"]
    )
    assert error < 1e-5
