"""Softmax and its logarithm over any axis against torch."""

from __future__ import annotations

import pytest
from networks import relative_error
from torch import nn

from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)


@pytest.mark.parametrize("kind", [nn.Softmax, nn.LogSoftmax])
@pytest.mark.parametrize(
    ("axis", "shape"),
    [(-1, (4, 100)), (1, (1, 21, 8, 8)), (2, (2, 3, 7, 5)), (-1, (2, 49, 49)), (1, (3, 1))],
)
def test_axes(kind: type[nn.Module], axis: int, shape: tuple[int, ...]) -> None:
    error, kernels = relative_error(kind(axis), shape, X86)
    assert error < 1e-6
    assert kernels["softmax"] == 1


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_after_a_convolution(axis: int) -> None:
    net = nn.Sequential(nn.Conv2d(16, 21, 1), nn.Softmax(axis))
    error, kernels = relative_error(net, (1, 16, 9, 9), X86)
    assert error < 1e-6
    assert kernels["softmax"] == 1
