"""Rows, columns and channels that are taken by known indices stay where the channels are."""

from __future__ import annotations

import pytest
import torch
import tvm
from networks import relative_error
from torch import nn
from torch.nn import functional as F
from tvm import relax

from tvmlcnn import frontend, pipeline
from tvmlcnn.passes import graph_phases
from tvmlcnn.targets import DEVICES


class Taken(nn.Module):
    """A convolution, what is taken of its result, and another convolution."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.first, self.second = nn.Conv2d(3, 24, 3, padding=1), nn.LazyConv2d(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        if self.how in ("reflect", "replicate", "circular"):
            y = F.pad(y, (1, 1, 2, 1), mode=self.how)
        elif self.how == "channels":
            y = y[:, [5, 0, 17, 3, 11, 2, 8, 23]]
        elif self.how == "a channel twice":
            y = y[:, [5, 0, 5, 3]]
        elif self.how == "parts":
            y = F.pad(y.split((10, 14), 1)[1], (1, 1, 1, 1), mode="reflect")[:, :, 1:-1]
        elif self.how == "cut":
            y = y.split((10, 14), 1)[1][:, :, 1:-1, ::2]
        return self.second(y)


HOW = ["reflect", "replicate", "circular", "channels", "a channel twice", "parts", "cut"]


@pytest.mark.parametrize("how", HOW)
def test_what_torch_computes(how: str) -> None:
    net = Taken(how)
    net(torch.ones(1, 3, 9, 10))
    error, _ = relative_error(net.eval(), (1, 3, 9, 10), DEVICES["x86"])
    assert error < 1e-5


@pytest.mark.parametrize("how", ["reflect", "channels", "parts", "cut"])
def test_nothing_is_transposed_between(how: str) -> None:
    net = Taken(how)
    net(torch.ones(1, 3, 9, 10))
    graph = frontend.import_graph(net.eval(), frontend.random_inputs([(1, 3, 9, 10)])).mod
    device = DEVICES["x86"]
    mod = pipeline.apply(graph_phases(device), graph, device)
    found = []

    def visit(expr: relax.Expr) -> None:
        if isinstance(expr, relax.Call) and isinstance(expr.op, tvm.ir.Op):
            found.append(expr.op.name)

    relax.analysis.post_order_visit(mod["main"], visit)
    assert found.count("relax.permute_dims") == 1  # of the output
