"""DenseNet's growing lists: joined where they are made, normalized where they are read."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from wiring import Net, assert_same, cat, conv, copies, kernels, normalized


class DenseNet(nn.Module):
    """Each layer reads what all before it made."""

    def __init__(self, width: int, growth: int, layers: int) -> None:
        super().__init__()
        widths = [width + i * growth for i in range(layers + 1)]
        self.stem = conv(3, width, 3)
        self.layers = nn.ModuleList(
            nn.Sequential(
                *(normalized(inner), conv(inner, 4 * growth), normalized(4 * growth)),
                conv(4 * growth, growth, 3),
            )
            for inner in widths[:-1]
        )
        self.end = nn.Sequential(normalized(widths[-1]), conv(widths[-1], 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [self.stem(x)]
        for layer in self.layers:
            parts.append(layer(cat(*parts)))
        return self.end(cat(*parts)).mean((2, 3))


@pytest.mark.long
@pytest.mark.parametrize(("width", "growth", "batch"), [(64, 32, 1), (64, 32, 2), (16, 16, 1)])
def test_growing_lists_copy_nothing(width: int, growth: int, batch: int) -> None:
    net, shape = DenseNet(width, growth, 3), (batch, 3, 7, 7)
    assert_same(net, shape)
    # The stem alone may be wider than what each layer adds; the rest is computed in its place.
    assert len(copies(net, shape)) == (width != growth)


def test_normalization_of_a_growing_list_is_no_kernel() -> None:
    """One convolution a layer applies it; of the others only the pooling and its copy are left."""
    names = kernels(DenseNet(16, 16, 4), (1, 3, 8, 8))
    alone = [name for name in names if "convolution" not in name]
    assert len(alone) <= 1, alone


@pytest.mark.long
@pytest.mark.parametrize(("width", "growth", "batch"), [(24, 12, 1), (12, 12, 2), (20, 10, 1)])
def test_growing_lists_of_odd_widths(width: int, growth: int, batch: int) -> None:
    assert_same(DenseNet(width, growth, 2), (batch, 3, 7, 7))


@pytest.mark.parametrize(("channels", "size", "batch"), [(16, 8, 2), (20, 7, 1), (24, 8, 1)])
def test_normalization_before_a_padded_convolution(channels: int, size: int, batch: int) -> None:
    """The zeros around the map are not normalized; the sum of a block has two readers."""

    class Unit(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branch = nn.Sequential(
                *(normalized(channels), conv(channels, channels, 3)),
                *(normalized(channels), conv(channels, channels, 3)),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.branch(x)

    net = nn.Sequential(conv(3, channels, 3), Unit(), Unit(), normalized(channels))
    assert_same(net, (batch, 3, size, size))


@pytest.mark.parametrize("groups", [16, 2])
def test_normalization_before_a_grouped_convolution(groups: int) -> None:
    net = Net(
        lambda x, a, n, b: (y := a(x)) + b(n(y)),
        a=conv(16, 16),
        n=normalized(16),
        b=conv(16, 16, 3, groups),
    )
    assert_same(net, (1, 16, 8, 8))
