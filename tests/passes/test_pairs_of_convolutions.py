"""Which pairs of convolutions become one kernel, and what is known of it then."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from networks import compiled
from torch import nn

from tvmlcnn import passes
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import DEVICES, Device

# A cache so small that the map does not fit, and large enough for most of it.
X86 = replace(DEVICES["x86"].with_cores(1), caches=(1 << 10, 1 << 16))
SHAPE = (1, 16, 36, 36)


def pointwise(inner: int = 16, wide: int = 48, **options: object) -> nn.Conv2d:
    return nn.Conv2d(inner, wide, 1, **options)  # type: ignore[arg-type]


def depthwise(wide: int = 48, multiplier: int = 1) -> nn.Conv2d:
    return nn.Conv2d(wide, multiplier * wide, 3, padding=1, groups=wide)


def fused(module: nn.Module, shape: tuple[int, ...] = SHAPE) -> int:
    mod = compiled(module, shape, X86)
    return len(kernels_by_rule(mod).get("pointwise_depthwise", []))


class Read(nn.Module):
    """Something else reads what is between the convolutions, before or after the activation."""

    def __init__(self, activated: bool) -> None:
        super().__init__()
        self.first, self.second, self.activated = pointwise(), depthwise(), activated

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        between = self.first(x)
        activated = between.relu()
        return self.second(activated) + (activated if self.activated else between)


class Scaled(nn.Module):
    """What is between the convolutions is multiplied by what is no constant."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = pointwise(), depthwise()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x) * x.mean())


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(pointwise(), depthwise()),
        nn.Sequential(pointwise(bias=False), nn.BatchNorm2d(48), nn.Hardswish(), depthwise()),
        nn.Sequential(pointwise(wide=44), nn.ReLU(), depthwise(44)),
    ],
)
def test_pairs_that_become_one(module: nn.Module) -> None:
    assert fused(module) == 1


@pytest.mark.parametrize(
    "module",
    [
        Read(activated=False),
        Read(activated=True),
        Scaled(),
        nn.Sequential(pointwise(), nn.MaxPool2d(3, 1), depthwise()),
        nn.Sequential(pointwise(groups=2), depthwise()),
        nn.Sequential(pointwise(stride=2), depthwise()),
        nn.Sequential(pointwise(padding=1), depthwise()),
        nn.Sequential(nn.Conv2d(16, 48, 3), depthwise()),
        nn.Sequential(pointwise(), depthwise(multiplier=2)),
    ],
)
def test_pairs_that_stay_two(module: nn.Module) -> None:
    assert fused(module) == 0


class Block(nn.Module):
    """A depthwise convolution between two pointwise ones: either may be a kernel with it."""

    def __init__(self, inner: int, wide: int) -> None:
        super().__init__()
        self.expand, self.depthwise = pointwise(inner, wide), depthwise(wide)
        self.project = pointwise(wide, inner)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.project(self.depthwise(self.expand(x).relu()).relu())


@pytest.mark.parametrize(
    ("device", "inner", "wide", "size", "wanted"),
    [
        (DEVICES["h100"], 64, 384, 14, "depthwise_pointwise"),
        (X86, 16, 48, 36, "pointwise_depthwise"),
    ],
)
def test_one_of_the_pairs_of_a_block(
    device: Device, inner: int, wide: int, size: int, wanted: str
) -> None:
    kernels = kernels_by_rule(compiled(Block(inner, wide), (1, inner, size, size), device))
    assert len(kernels[wanted]) == 1
    assert "depthwise" not in kernels


def test_a_map_that_the_cache_holds_stays() -> None:
    assert fused(nn.Sequential(pointwise(), depthwise()), (1, 16, 6, 6)) == 0


def test_the_kernel_is_known_by_all_its_layers() -> None:
    net = nn.Sequential(pointwise(bias=False), nn.BatchNorm2d(48), nn.ReLU6(), depthwise())
    calls = passes.kernel_calls(compiled(net, SHAPE, X86))
    (call,) = (call for call in calls if call["layers"])
    elements = 48 * 36 * 36
    assert call["layers"] == ["0", "1", "2", "3"]
    multiplied = 2 * (16 + 9) * elements
    assert multiplied < call["flops"] <= multiplied + 4 * elements
    assert call["bytes"] < 2 * 4 * (16 * 36 * 36 + elements)
