"""Channels-last inside, and the same function."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import tvm
from conftest import randomized
from networks import relative_error
from torch import nn
from tvm import relax

from tvmlcnn import frontend
from tvmlcnn.passes import channels_last, fold_batch_norm, fold_constants
from tvmlcnn.targets import DEVICES


class Block(nn.Module):
    """Branches, attention by channels, a shuffle, and a constant added a row."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.register_buffer("row", torch.arange(6.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = x.chunk(2, 1)
        y = torch.cat([self.left(a), self.right(b)], 1)
        scale = y.mean((2, 3), keepdim=True)
        y = y * torch.sigmoid(self.excite(torch.relu(self.squeeze(scale))))
        y = y.view(1, 2, 4, 6, 6).transpose(1, 2).reshape(1, 8, 6, 6)
        return nn.functional.max_pool2d(y + self.row, 2) - x[:, :, ::2, ::2]


class Broadcast(nn.Module):
    """An operand of more axes than the permuted one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 4, 1)
        self.register_buffer("many", torch.randn(3, 1, 4, 6, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x)) * self.many


class Flatten(nn.Module):
    """The order of the channels and pixels matters to what comes after."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(8, 4, 3), nn.Linear(64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).flatten(1))


class Plain(nn.Module):
    """Tuples none of whose members was moved, as heads, stacks and recurrent layers make them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.lstm = nn.Conv2d(8, 4, 3), nn.LSTM(16, 8, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x).flatten(2)
        both = torch.cat((y, y * 2), 1)
        return self.lstm(torch.stack((both, both + 1), 1).sum(1))[0]


class Outputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.conv(x)
        return y, y.mean((2, 3)), y.softmax(1), y.permute(0, 3, 1, 2), y.sum(2)


class Attention(nn.Module):
    """By pixels, as CBAM has it: extrema and means of channels, and a choice by a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate = nn.Conv2d(8, 6, 1), nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        y = torch.where(y > y.amin((2, 3), keepdim=True), y, y.exp() - 1)
        of_pixels = [y.mean(1, True), y.amax(1, True), y.amin(1, True), y.sum(1, True)]
        return y * torch.sigmoid(self.gate(torch.cat(of_pixels, 1)))


class Reductions(nn.Module):
    """Over channels, rows and columns, with the reduced axes and without."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 5, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.conv(x)
        axes = [1, 2, 3, (2, 3), (1, 2), (1, 3)]
        return tuple(
            f(y, a, keep) for f in (torch.amax, torch.sum) for a in axes for keep in (False, True)
        )


NETS = {
    "attention": Attention(),
    "reductions": Reductions(),
    "block": Block(),
    "broadcast": Broadcast(),
    "flatten": Flatten(),
    "outputs": Outputs(),
    "plain": Plain(),
    "pools": nn.Sequential(
        nn.Conv2d(8, 4, 1), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ),
    "norm": nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.PReLU(8)),
    "lrn": nn.Sequential(nn.Conv2d(8, 8, 1), nn.LocalResponseNorm(5)),
}


@pytest.mark.parametrize("name", NETS)
def test_same_function(name: str) -> None:
    error, _ = relative_error(randomized(NETS[name]), (1, 8, 6, 6), DEVICES["x86"])
    assert error < 1e-5


def operators(net: nn.Module) -> Counter[str]:
    graph = frontend.import_graph(net.eval(), frontend.random_inputs([(1, 8, 6, 6)])).mod
    mod = channels_last(DEVICES["x86"])(fold_batch_norm(fold_constants(graph)))
    found: Counter[str] = Counter()

    def visit(expr: relax.Expr) -> None:
        if isinstance(expr, relax.Call) and isinstance(expr.op, tvm.ir.Op):
            found[expr.op.name.removeprefix("relax.")] += 1

    relax.analysis.post_order_visit(mod["main"], visit)
    assert found["tvmlcnn.conv2d"]
    assert not found["nn.conv2d"]
    return found


def test_transposes_stay_at_the_borders() -> None:
    net = nn.Sequential(
        *(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Hardswish()),
        *(nn.Conv2d(8, 8, 1), nn.MaxPool2d(2), nn.Conv2d(8, 4, 1, bias=False), nn.Sigmoid()),
    )
    assert operators(net)["permute_dims"] == 2
    assert operators(nn.Sequential(net, nn.AdaptiveAvgPool2d(1), nn.Flatten()))["permute_dims"] == 1


def test_channels_are_reduced_where_they_are() -> None:
    assert operators(Attention())["permute_dims"] == 2


def test_shuffle_moves_nothing() -> None:
    net = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ChannelShuffle(2), nn.Conv2d(8, 8, 1))
    found = operators(net)
    assert found["permute_dims"] == 2  # the borders
    assert not found["reshape"]


@pytest.mark.parametrize(("outer", "computed"), [(8, 8), (16, 16), (24, 32), (40, 48)])
def test_channels_are_filled_up_for_joins_but_not_doubled(outer: int, computed: int) -> None:
    """Planes of 25 pixels are aligned by 16 channels, where vectors have eight."""
    graph = frontend.import_graph(
        nn.Conv2d(8, outer, 1).eval(), frontend.random_inputs([(1, 8, 5, 5)])
    )
    mod = channels_last(DEVICES["x86"])(fold_batch_norm(fold_constants(graph.mod)))
    shapes = []

    def visit(expr: relax.Expr) -> None:
        if isinstance(expr, relax.Call) and expr.op == tvm.ir.Op.get("tvmlcnn.conv2d"):
            shapes.append([int(n) for n in expr.ty.shape])

    relax.analysis.post_order_visit(mod["main"], visit)
    assert shapes == [[1, 5, 5, computed]]
