"""Sigmoids by estimates of reciprocals: as exact as by division, and without one."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from executed import assembly_of, results_of
from networks import compiled
from torch import nn

from tvmlcnn.targets import DEVICES

MODULES = [nn.Sigmoid(), nn.SiLU(), nn.GELU("tanh"), nn.Mish()]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 100.0, -100.0, 3e38, -3e38]
MACHINES = [
    pytest.param("rpi4", marks=pytest.mark.emulated("aarch64")),
    pytest.param("rpi2", marks=pytest.mark.emulated("armv7l")),
]


@pytest.mark.parametrize("target", MACHINES)
@pytest.mark.parametrize("module", MODULES, ids=lambda module: type(module).__name__)
def test_values(module: nn.Module, target: str) -> None:
    """Also of what no vector holds whole, and of what is no number."""
    x = np.concatenate([np.linspace(-80, 80, 20000), SPECIAL]).astype(np.float32)
    x = np.resize(x, (1, 7, 1, 2861))
    device = DEVICES[target].with_cores(1)
    (found,) = results_of(compiled(module, x.shape, device), [x], device)
    wanted = module(torch.from_numpy(x.astype(np.float64))).numpy()
    # GELU's tanh form is told by the error that its factor makes of x.
    absolute = isinstance(module, nn.GELU)
    slack = (
        4e-7 * np.abs(x)
        if absolute
        else (8e-7 if isinstance(module, nn.Mish) else 5e-7) * np.abs(wanted)
    )
    finite = np.isfinite(wanted)
    assert (np.abs(found - wanted)[finite] <= slack[finite] + 2e-38).all()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    np.testing.assert_array_equal(found[~finite], wanted[~finite].astype(np.float32))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: type(module).__name__)
def test_nothing_is_divided(module: nn.Module) -> None:
    for target, quotient in (("rpi3", r"\bfdiv\b"), ("rpi2", r"\bvdiv")):
        device = DEVICES[target].with_cores(1)
        text = assembly_of(compiled(module, (1, 64, 8, 8), device), device)
        assert not re.search(quotient, text)
        assert re.search(r"recps", text)


def test_quotients_by_anything_are_divided() -> None:
    class Quotient(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 1 / x

    device = DEVICES["rpi4"].with_cores(1)
    text = assembly_of(compiled(Quotient(), (1, 64, 8, 8), device), device)
    assert "fdiv" in text
    assert "recps" not in text
