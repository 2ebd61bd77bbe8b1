"""Each call of a kernel is known by its layers, operations and bytes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks import compiled

from tvmlcnn import passes
from tvmlcnn.targets import resolve

nn = torch.nn
SHAPE = (1, 16, 8, 8)


def calls(module: nn.Module, shape: tuple[int, ...] = SHAPE, target: str = "x86") -> Any:
    return passes.kernel_calls(compiled(module, shape, resolve(target)))


def layers(module: nn.Module, **options: Any) -> list[list[str]]:
    return [call["layers"] for call in calls(module, **options) if call["layers"]]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x)


def test_calls_of_one_kernel_have_their_own_layers() -> None:
    """Blocks are of one form, so that one function is called for several of them."""
    found = [call for call in calls(nn.Sequential(Block(), Block(), Block())) if call["layers"]]
    assert len({call["function"] for call in found}) < 3
    assert [call["layers"] for call in found] == [
        [f"{i}.conv.0", f"{i}.conv.1", f"{i}.conv.2", f"{i}:add"] for i in range(3)
    ]


def test_equal_branches_are_told_apart() -> None:
    """Two layers of one form that read the same differ in their weights only."""

    class Fire(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.right(x), self.left(x)], 1)

    found = {name for names in layers(Fire()) for name in names}
    assert {"left", "right"} <= found  # their concatenation takes no kernel


def test_normalization_in_front_of_a_convolution() -> None:
    found = layers(nn.Sequential(nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3)))
    assert [name for names in found for name in names] == ["0", "1", "2"]


def test_a_layer_called_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(16, 16, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(self.conv(x))

    assert layers(Twice()) == [["conv"], ["conv"]]


@pytest.mark.parametrize(
    ("module", "flops"),
    [
        (nn.Conv2d(16, 20, 3, bias=False), 2 * 36 * 20 * 16 * 9),  # 20 channels fill no vectors
        (nn.Conv2d(16, 16, 3, bias=False, groups=16), 2 * 36 * 16 * 9),
        (nn.Conv2d(16, 20, 1), 2 * 64 * 20 * 16 + 64 * 20),
        (nn.Conv2d(16, 32, 3, bias=False, groups=2), 2 * 36 * 32 * 8 * 9),
        (nn.ConvTranspose2d(16, 20, 2, 2, bias=False), 2 * 64 * 16 * 20 * 4),
        (nn.MaxPool2d(2), 16 * 16 * 4),
        (nn.AdaptiveAvgPool2d(1), 64 * 16),
        (nn.ReLU(), 64 * 16),
        (nn.PixelShuffle(2), 0),
    ],
)
def test_operations_of_the_layer(module: nn.Module, flops: int) -> None:
    assert sum(call["flops"] for call in calls(module)) == flops


def test_bytes_of_arguments_and_result() -> None:
    (call,) = calls(nn.Linear(32, 16), shape=(1, 32))
    assert call["flops"] == 2 * 32 * 16 + 16
    assert call["bytes"] == 4 * (32 + 32 * 16 + 16 + 16)


def test_gpu_kernels_have_layers() -> None:
    found = layers(nn.Sequential(Block(), Block()), target="cuda")
    assert {"0.conv.0", "0.conv.2", "1.conv.0", "1.conv.2"} <= {n for names in found for n in names}
