"""Extremes by instruction: shorter code, and NaN where either operand is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from executed import results_of
from networks import assembly, compiled
from torch import nn

from tvmlcnn.targets import DEVICES, Cpu

X86, RPI4 = DEVICES["x86"], DEVICES["rpi4"]
assert isinstance(X86, Cpu)
# LLVM compiles them for any machine.
HERE = replace(X86, extremes_of_nan=True).with_cores(1)
SPECIAL = np.array([np.nan, np.inf, -np.inf, -1.0, -0.0, 0.5, 6.0, 7.0] * 2, np.float32)


@pytest.mark.parametrize(
    "module",
    [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-2, 0.25), nn.Hardswish(), nn.MaxPool2d(2, 2)],
    ids=lambda module: type(module).__name__,
)
def test_they_are_torchs(module: nn.Module) -> None:
    data = np.tile(SPECIAL, (1, 4, 4, 1)).astype(np.float32)
    (result,) = results_of(compiled(module, data.shape, HERE), [data], HERE)
    expected = module(torch.from_numpy(data)).numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_a_clip_is_two_instructions() -> None:
    text = assembly(nn.Sequential(nn.Conv2d(16, 16, 1), nn.ReLU6()), (1, 16, 14, 14), RPI4)
    assert "fmax" in text
    assert "fmin" in text
    assert "fcm" not in text
