"""TVM's rules for GPUs: where one fails half way, the next one is tried."""

from __future__ import annotations

import torch
from networks import compiled
from torch import nn

from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import DEVICES


class Mean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean()


def test_a_rule_that_raises() -> None:
    """Reduction takes the mean of a map of one channel, and TVM's check of that fails."""
    mod = compiled(Mean(), (1, 1, 24, 24), DEVICES["cuda"])
    assert kernels_by_rule(mod) == {"dlight": ["mean"]}
