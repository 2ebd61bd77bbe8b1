"""Batch norm disappears into the convolution, and the function stays the same."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import tvm
from conftest import randomized
from torch import nn
from tvm import relax

from tvmlcnn import frontend
from tvmlcnn.passes import fold_batch_norm, fold_constants


class PreActivation(nn.Module):
    """Batch norm before the convolution, as in DenseNet."""

    def __init__(self) -> None:
        super().__init__()
        self.bn, self.conv = nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(torch.relu(self.bn(x)))


class Shared(nn.Module):
    """The convolution's output has another reader, which must see it unscaled."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return self.bn(y) + y


def operators(mod: tvm.IRModule) -> Counter[str]:
    found: Counter[str] = Counter()

    def visit(expr: relax.Expr) -> None:
        if isinstance(expr, relax.Call) and isinstance(expr.op, tvm.ir.Op):
            found[expr.op.name.removeprefix("relax.")] += 1

    relax.analysis.post_order_visit(mod["main"], visit)
    return found


CONV_BN = nn.Sequential(nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8))
CONV_BIAS_BN = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.BatchNorm2d(8))
PLAIN_BN = nn.Sequential(nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8, affine=False))


@pytest.mark.parametrize(
    ("net", "left"),
    [
        (CONV_BN, {"nn.conv2d": 1, "add": 1}),
        (CONV_BIAS_BN, {"nn.conv2d": 1, "add": 1}),
        (PLAIN_BN, {"nn.conv2d": 1, "add": 1}),
        (PreActivation(), {"nn.conv2d": 1, "multiply": 1, "add": 2, "nn.relu": 1}),
        (Shared(), {"nn.conv2d": 1, "multiply": 1, "add": 3}),
    ],
)
def test_operators_and_result(net: nn.Module, left: dict[str, int]) -> None:
    randomized(net)
    inputs = frontend.random_inputs([(1, 8, 6, 6)])
    (expected,) = frontend.reference(net, inputs)
    mod = fold_batch_norm(fold_constants(frontend.import_graph(net, inputs).mod))
    assert operators(mod) == Counter(left)
    executable = tvm.compile(mod, target="llvm")
    machine = relax.VirtualMachine(executable, tvm.cpu())
    (actual,) = machine["main"](tvm.runtime.tensor(inputs[0]))
    assert abs(actual.numpy() - expected).max() <= 1e-5 * abs(expected).max()
