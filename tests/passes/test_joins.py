"""Joined channels, whatever comes between them and their readers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn
from wiring import Net, Result, Shape, assert_same, cat, conv, copies, normalized


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


def test_what_two_layers_read_together_is_copied_once() -> None:
    net = Net(
        lambda x, a, b, grouped: torch.relu((y := cat(a(x), b(x))) + grouped(y)),
        a=conv(16, 24),
        b=conv(16, 24, 3),
        grouped=conv(48, 48, groups=3),
    )
    assert_same(net, (1, 16, 8, 8))
    assert copies(net, (1, 16, 8, 8)).count("gather_channels") == 1


def between_layers(channels: int) -> Iterator[tuple[str, nn.Module]]:
    yield "normalized", normalized(channels)
    yield "shuffled", nn.Sequential(nn.ChannelShuffle(2), normalized(channels))
    yield "depthwise", conv(channels, channels, 3, channels)
    yield "pools", nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.AvgPool2d(3, 1, 1))
    yield "prelu", nn.PReLU(channels)
    yield "softmax", nn.Softmax(1)
    yield "group norm", nn.GroupNorm(2, channels)


@pytest.mark.long
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


def repeated(x: torch.Tensor, a: nn.Module, b: nn.Module, **layers: nn.Module) -> Result:
    """Join a tensor with itself: channels at one place that each get a number of their own."""
    y, z = a(x), b(x)
    twice, around, overlapping = cat(y, y), cat(y, z, y), cat(y[:, :8], y[:, 4:12], z[:, ::2])
    scaled = twice * torch.arange(1.0, 33).view(32, 1, 1)
    gate = layers["gate"](twice.mean((2, 3), keepdim=True))
    return (
        layers["c"](twice) + layers["c"](scaled),
        layers["deep"](twice),
        layers["deeper"](around),
        layers["norm"](twice),
        layers["prelu"](twice) * gate,
        overlapping * torch.arange(1.0, 25).view(24, 1, 1),
    )


def broadcast(x: torch.Tensor, a: nn.Module, b: nn.Module, u: nn.Module) -> Result:
    """Let joins of one map, and of several, meet: planes lie along the outermost axis."""
    many, one = cat(a(x), b(x)), cat(a(x[:1]), b(x[:1]))
    scale = u(x[:1].mean((2, 3), keepdim=True))
    return many + one, one * many.mean((2, 3), keepdim=True), many * scale, one - many


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
    # Whose rows tiles divide, so that their padding could be left out.
    "orders, odd, even rows": (Net(orders, **odd), 8),
    "repeated": (
        Net(
            repeated,
            **wide,
            deep=conv(32, 32, 3, 32),
            deeper=conv(48, 48, 3, 48),
            norm=normalized(32),
            prelu=nn.PReLU(32),
            gate=conv(32, 32),
        ),
        8,
    ),
    "broadcast": (Net(broadcast, a=conv(16, 16, 3), b=conv(16, 16), u=conv(16, 32)), 8),
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


@pytest.mark.long
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", NETS)
def test_same_function(name: str, batch: int) -> None:
    net, size = NETS[name]
    assert_same(net, (batch, 16, size, size))
