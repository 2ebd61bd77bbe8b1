"""Channels in any place: joins, splits and shuffles copy nothing, and keep the function."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from conftest import randomized
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import compiled, relative_error
from torch import nn

from tvmlcnn import passes
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"]
Shape = tuple[int, int, int, int]
Result = torch.Tensor | tuple[torch.Tensor, ...]


class Net(nn.Module):
    """Layers by name, and how they are connected."""

    def __init__(self, connect: Callable[..., Result], **layers: nn.Module) -> None:
        super().__init__()
        self.layers, self.connect = nn.ModuleDict(layers), connect

    def forward(self, x: torch.Tensor) -> Result:
        return self.connect(x, **dict(self.layers.items()))


def conv(inner: int, outer: int, size: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, size, padding=size // 2, groups=groups)


def normalized(channels: int) -> nn.Module:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())


def cat(*parts: torch.Tensor) -> torch.Tensor:
    return torch.cat(parts, 1)


def assert_same(net: nn.Module, shape: Shape) -> dict[str, int]:
    """Assert that the function is torch's, and return the kernels by rule."""
    error, rules = relative_error(randomized(net), shape, X86)
    assert error < 1e-5
    return rules


def copies(net: nn.Module, shape: Shape) -> list[str]:
    """Return the kernels that only move channels."""
    moves = ("concat", "copy", "cut", "gather", "split", "strided_slice", "transpose")
    calls = passes.kernel_calls(compiled(randomized(net), shape, X86))
    names = (call["function"].removeprefix("fused_") for call in calls)
    return [name for name in names if name.startswith(moves)]


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


@pytest.mark.parametrize(("width", "growth", "batch"), [(64, 32, 1), (64, 32, 2), (16, 16, 1)])
def test_growing_lists_copy_nothing(width: int, growth: int, batch: int) -> None:
    net, shape = DenseNet(width, growth, 3), (batch, 3, 7, 7)
    assert_same(net, shape)
    # The stem alone may be wider than what each layer adds; the rest is computed in its place.
    assert len(copies(net, shape)) == (width != growth)


def test_normalization_of_a_growing_list_is_no_kernel() -> None:
    """One convolution a layer applies it; of the others only the pooling and its copy are left."""
    calls = passes.kernel_calls(compiled(randomized(DenseNet(16, 16, 4)), (1, 3, 8, 8), X86))
    alone = [call["function"] for call in calls if "convolution" not in call["function"]]
    assert len(alone) <= 1, alone


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


def joined(first: int, second: int, size: int = 1, between: nn.Module | None = None) -> Net:
    """Return a net that reads two joined convolutions twice, once after something else."""
    return Net(
        lambda x, a, b, between, c, d: c(between(y := cat(a(x), b(x)))) + d(y),
        a=conv(16, first),
        b=conv(16, second, 3),
        between=between or nn.Identity(),
        c=conv(first + second, 12, size),
        d=conv(first + second, 12, 3),
    )


@pytest.mark.parametrize(
    ("first", "second", "shape"),
    [
        (64, 32, (1, 16, 8, 8)),
        (24, 40, (2, 16, 7, 7)),
        (5, 7, (1, 16, 7, 7)),
        (12, 20, (2, 16, 8, 8)),
    ],
)
def test_parts_of_other_widths(first: int, second: int, shape: Shape) -> None:
    assert_same(joined(first, second), shape)


def between_layers(channels: int) -> Iterator[tuple[str, nn.Module]]:
    yield "normalized", normalized(channels)
    yield "shuffled", nn.Sequential(nn.ChannelShuffle(2), normalized(channels))
    yield "depthwise", conv(channels, channels, 3, channels)
    yield "pools", nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1))
    yield "prelu", nn.PReLU(channels)
    yield "softmax", nn.Softmax(1)
    yield "group norm", nn.GroupNorm(2, channels)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", dict(between_layers(2)))
def test_between_a_join_and_its_reader(name: str, size: int) -> None:
    assert_same(joined(12, 12, size, dict(between_layers(24))[name]), (1, 16, 7, 7))


a, b, e = conv(16, 12, 3), conv(16, 12), conv(24, 16, 3)
wide = {"a": conv(16, 16, 3), "b": conv(16, 16), "c": conv(32, 16), "d": conv(32, 16, 3)}
odd = {"a": a, "b": b, "c": conv(24, 16), "d": conv(24, 16, 3)}


def orders(x: torch.Tensor, a: nn.Module, b: nn.Module, c: nn.Module, d: nn.Module) -> Result:
    """Join the same tensors in other orders, twice, and with the result of a join."""
    y, z = a(x), b(x)
    nested = cat(c(cat(y, z)), y, z)
    return c(cat(y, z)), d(cat(z, y)), c(cat(y, y)), d(cat(z, z * 2)), nested.mean((2, 3))


def outputs(x: torch.Tensor, a: nn.Module, b: nn.Module, c: nn.Module, d: nn.Module) -> Result:
    y, z = a(x), b(x)
    both = cat(y, z)
    return both, y, z.mean((2, 3)), both.mean((2, 3)), both[:, 5:9], y + 1


def pixels(x: torch.Tensor, a: nn.Module, b: nn.Module, c: nn.Module, d: nn.Module) -> Result:
    """Join maps of one pixel, which flatten without a copy."""
    x = x.mean((2, 3), keepdim=True)
    y, z = a(x), b(x)
    return cat(y, z).flatten(1), y.flatten(1), c(cat(z, y)), cat(y, z)


def unequal(x: torch.Tensor, a: nn.Module, **_: nn.Module) -> Result:
    first, second, third = a(x).split([3, 4, 5], 1)
    return cat(second, third, first), second * 2, third.mean((2, 3))


def squeezed(x: torch.Tensor, a: nn.Module, d: nn.Module, u: nn.Module, e: nn.Module) -> Result:
    y = a(x)
    scale = u(torch.relu(d(y.mean((2, 3), keepdim=True))))
    return e(y * torch.sigmoid(scale))


def attended(x: torch.Tensor, a: nn.Module, s: nn.Module, e: nn.Module) -> Result:
    """Multiply by a map of one channel, from either side, and by one of all channels' mean."""
    y = a(x)
    scale = torch.sigmoid(s(y))
    return e(y * scale), e(scale * y), e(y * y.mean(1, keepdim=True))


def spread_constant(x: torch.Tensor, a: nn.Module, s: nn.Module, e: nn.Module) -> Result:
    return e(s(a(x)) * torch.arange(12.0).view(12, 1, 1))


NETS: dict[str, tuple[nn.Module, int]] = {
    "input": (Net(lambda x, b, c: c(cat(x, b(x))), b=conv(16, 16), c=conv(32, 8, 3)), 8),
    "input, odd": (Net(lambda x, b, c: c(cat(x, b(x))), b=conv(16, 12), c=conv(28, 8, 3)), 7),
    "orders": (Net(orders, **wide), 8),
    "orders, odd": (Net(orders, **odd), 7),
    "outputs": (Net(outputs, **wide), 8),
    "outputs, odd": (Net(outputs, **odd), 7),
    "pixels": (Net(pixels, **wide), 7),
    "pixels, odd": (Net(pixels, **odd), 7),
    "unequal parts": (Net(unequal, **odd), 7),
    "slices": (Net(lambda x, a, c: c(a(x)[:, ::2] - a(x)[:, -6:]), a=a, c=conv(6, 8, 3)), 7),
    "slice of pixels": (Net(lambda x, a: (a(x)[:, 2:9] * 2)[:, :, 1:, ::2], a=a), 7),
    "sum": (Net(lambda x, a, b, e: e(cat(y := a(x), y + b(x))), a=a, b=b, e=e), 7),
    "sum of a join": (
        Net(lambda x, a, b, e, f: e(f(x) + cat(a(x), b(x))), a=a, b=b, e=e, f=conv(16, 24)),
        7,
    ),
    "squeeze": (Net(squeezed, a=conv(16, 20, 3), d=conv(20, 5), u=conv(5, 20), e=conv(20, 8)), 7),
    "attention": (Net(attended, a=a, s=conv(12, 1), e=conv(12, 8)), 7),
    "wide attention": (Net(attended, a=conv(16, 20), s=conv(20, 1), e=conv(20, 8)), 8),
    "one channel to many": (Net(spread_constant, a=a, s=conv(12, 1), e=conv(12, 8)), 7),
    "linear": (
        Net(lambda x, a, b, c: c(cat(a(x), b(x)).mean((2, 3))), a=a, b=b, c=nn.Linear(24, 5)),
        7,
    ),
    "flatten": (
        Net(lambda x, a, b, c: c(cat(a(x), b(x)).flatten(1)), a=a, b=b, c=nn.Linear(1176, 5)),
        7,
    ),
}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", NETS)
def test_same_function(name: str, batch: int) -> None:
    net, size = NETS[name]
    assert_same(net, (batch, 16, size, size))
