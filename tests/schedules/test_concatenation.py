"""Channels put one after the other: right for any widths, and by vectors where they allow it."""

from __future__ import annotations

import re

import pytest
import torch
from networks import assembly, relative_error
from torch import nn

from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)


class Joined(nn.Module):
    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(8, width, 1) for width in widths)
        self.norm = nn.BatchNorm2d(sum(widths))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([conv(x) for conv in self.convs], 1)
        return torch.relu(self.norm(joined)).mean((2, 3))


@pytest.mark.long
@pytest.mark.parametrize("widths", [(8, 8), (64, 32, 32), (24, 12, 12), (8, 4, 20), (5, 3, 7)])
def test_concatenation(widths: tuple[int, ...]) -> None:
    error, _ = relative_error(Joined(*widths), (1, 8, 7, 5), X86)
    assert error < 1e-5


def test_no_scalar_arithmetic_is_left() -> None:
    text = assembly(Joined(64, 32, 32), (1, 8, 14, 14), X86)
    assert not re.findall(r"vfmadd\w+ss\s|vmaxss\s|vaddss\s", text)
