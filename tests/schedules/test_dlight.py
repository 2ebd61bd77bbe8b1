"""TVM's rules for GPUs: where one fails half way, the next one is tried."""

from __future__ import annotations

import torch
from gpu_kernels import needs_runner
from networks import compiled, relative_error
from torch import nn

from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import DEVICES


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean()


def test_a_rule_that_raises() -> None:
    """Reduction takes the mean of a map of one channel, and TVM's check of that fails."""
    mod = compiled(Mean(), (1, 1, 24, 24), DEVICES["cuda"])
    assert kernels_by_rule(mod)["dlight"] == ["mean"]


class MeanOfOne(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.hardswish(x.mean((2, 3)) + 1)


@needs_runner
def test_what_follows_a_reduction_of_one_element() -> None:
    """TVM inlines it into the first value of the sum as well, as if there were no sum."""
    error, kernels = relative_error(MeanOfOne(), (1, 64, 1, 1), DEVICES["cuda"])
    assert kernels["dlight"] == 1
    assert error < 1e-6
