"""Shuffled channels: nothing is copied, and the function stays."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from wiring import assert_same, cat, conv, copies


class Shuffle(nn.Module):
    """The unit of ShuffleNet V2 that keeps the size of the map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            *(conv(half, half), nn.BatchNorm2d(half), nn.ReLU()),
            *(conv(half, half, 3, groups=half), nn.BatchNorm2d(half)),
            *(conv(half, half), nn.BatchNorm2d(half), nn.ReLU()),
        )
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept, taken = x.chunk(2, 1)
        return self.shuffle(cat(kept, self.branch(taken)))


class Down(nn.Module):
    """The unit of ShuffleNet V2 that halves the map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.left = nn.Sequential(
            nn.Conv2d(16, 16, 3, 2, 1, groups=16), conv(16, half), nn.ReLU(), nn.BatchNorm2d(half)
        )
        self.right = nn.Sequential(
            conv(16, half), nn.ReLU(), nn.Conv2d(half, half, 3, 2, 1), nn.ReLU()
        )
        self.shuffle = nn.ChannelShuffle(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shuffle(cat(self.left(x), self.right(x)))


def shuffle_net(channels: int) -> nn.Module:
    units = (Shuffle(channels) for _ in range(3))
    return nn.Sequential(
        *(conv(3, 16, 3), Down(channels), *units, conv(channels, 16), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)),
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("channels", "batch", "size"), [(32, 1, 16), (40, 2, 14), (116, 1, 14), (232, 1, 14)]
)
def test_shuffles_copy_nothing(channels: int, batch: int, size: int) -> None:
    shape = (batch, 3, size, size)
    assert_same(shuffle_net(channels), shape)
    assert not copies(shuffle_net(channels), shape)


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.integers(2, 40), st.sampled_from([5, 7, 8]), st.integers(1, 2))
def test_shuffles_of_any_width(half: int, size: int, batch: int) -> None:
    net = nn.Sequential(conv(3, 2 * half, 3), Shuffle(2 * half), Shuffle(2 * half))
    assert_same(net, (batch, 3, size, size))


@pytest.mark.parametrize(("channels", "groups"), [(16, 2), (20, 2), (60, 3)])
def test_shuffles_between_grouped_convolutions(channels: int, groups: int) -> None:
    """As in ShuffleNet V1."""

    class Unit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch = nn.Sequential(
                *(conv(channels, channels, groups=groups), nn.ReLU(), nn.ChannelShuffle(groups)),
                *(conv(channels, channels, 3, channels), conv(channels, channels, groups=groups)),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x + self.branch(x))

    assert_same(nn.Sequential(conv(3, channels, 3), Unit(), Unit()), (2, 3, 7, 7))
