"""Softmax on a GPU against torch."""

from __future__ import annotations

import pytest
import torch
from gpu_kernels import GPUS, check, needs_runner
from networks import compiled
from torch import nn

from tvmlcnn.schedules import kernels_by_rule


class Softmax(nn.Module):
    def __init__(self, axis: int, logarithm: bool) -> None:
        super().__init__()
        self.axis, self.logarithm = axis, logarithm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = 20 * x
        return x.log_softmax(self.axis) if self.logarithm else x.softmax(self.axis)


@needs_runner
@pytest.mark.parametrize("logarithm", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis"), [((1, 21, 9, 7), 1), ((40, 21), 1), ((3, 2, 1), 1), ((1, 301, 20), 1)]
)
def test_columns_and_short_rows(shape: tuple[int, ...], axis: int, logarithm: bool) -> None:
    check(Softmax(axis, logarithm), shape, "softmax")


def test_long_rows_are_left_to_blocks() -> None:
    mod = compiled(Softmax(1, False), (4, 1000), GPUS["cuda"])
    assert "softmax" not in kernels_by_rule(mod)
