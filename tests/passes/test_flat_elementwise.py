"""Element-wise kernels of tensors whose axes are in the way of vectors get lines."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import compiled, relative_error
from torch import nn
from torch.nn import functional as F

from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)
few = settings(max_examples=15, deadline=None, derandomize=True)


class Chain(nn.Module):
    """Element-wise operators before and after another shape, and a number for all elements."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = (x * x.abs()).flatten(1) - 0.5
        return F.silu(y + x.reshape(y.shape)).reshape(x.shape)


class Whole(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - x.max()).exp()


class PerChannel(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x[:, :, :1, :1]


class Turned(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + x.transpose(2, 3)


def flat(module: nn.Module, shape: tuple[int, ...]) -> list[str]:
    names = kernels_by_rule(compiled(module, shape, X86))["default"]
    return [name for name in names if name.endswith("_flat")]


@few
@given(shape=st.tuples(st.integers(1, 2), *[st.integers(1, 19)] * 3))
@pytest.mark.parametrize("module", [Chain(), Whole()])
def test_any_shape(module: nn.Module, shape: tuple[int, ...]) -> None:
    assert relative_error(module, shape, X86)[0] < 1e-6


@pytest.mark.parametrize("module", [Chain(), Whole()])
def test_what_is_flat(module: nn.Module) -> None:
    assert len(flat(module, (1, 3, 14, 14))) == 1


def test_whole_vectors_need_no_line() -> None:
    assert flat(nn.Hardtanh(), (1, 3, 14, 32)) == []


@pytest.mark.parametrize("module", [PerChannel(), Turned()])
def test_what_is_read_elsewhere_is_not(module: nn.Module) -> None:
    error, _ = relative_error(module, (1, 3, 14, 14), X86)
    assert (error < 1e-6, flat(module, (1, 3, 14, 14))) == (True, [])
