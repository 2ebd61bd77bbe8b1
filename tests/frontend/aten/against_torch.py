"""Compiling a function of torch in this process, and comparing what it computes with torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from executed import results_of
from torch.utils import _pytree as pytree

from tvmlcnn import pipeline
from tvmlcnn.frontend.importing import import_program
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import DEVICES

DEVICE = DEVICES["x86"].with_cores(2)


class _Module(torch.nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


def compare(
    function: Callable[..., Any], *inputs: torch.Tensor, tolerance: float = 1e-6
) -> dict[str, list[str]]:
    """Assert that a compiled function computes what torch does; return its kernels by rule.

    Integers and bools are to be equal, what is not finite too; other numbers are to be within the
    tolerance of the output's range.
    """
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(_Module(function), tuple(x.clone() for x in inputs))
        expected = pytree.tree_leaves(function(*(x.clone() for x in inputs)))
        mod, _ = import_program(program)
    mod = pipeline.run(mod, DEVICE)
    results = results_of(mod, [x.numpy() for x in inputs], DEVICE)
    for result, wanted in zip(results, expected, strict=True):
        _assert_near(result, wanted.numpy(), tolerance)
    return kernels_by_rule(mod)


def _assert_near(result: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    assert (result.shape, result.dtype) == (wanted.shape, wanted.dtype)
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(result, wanted)
        return
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(np.where(finite, 0, result), np.where(finite, 0, wanted))
    limit = tolerance * max(1e-3, np.abs(wanted[finite]).max(initial=0))
    np.testing.assert_allclose(result[finite], wanted[finite], rtol=0, atol=limit)
