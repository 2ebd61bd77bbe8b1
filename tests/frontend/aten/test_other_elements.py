"""Functions that vectors compute in float32, of other types of elements."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from against_torch import compare

FUNCTIONS = (torch.nn.functional.gelu, torch.erf, torch.log1p, torch.expm1, torch.tanh)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: str(function.__name__))
def test_other_elements(function: Callable[..., torch.Tensor], dtype: torch.dtype) -> None:
    x = torch.rand(3, 64, generator=torch.Generator().manual_seed(0)) * 2 - 0.5
    compare(function, x.to(dtype), tolerance=2e-3 if dtype == torch.float16 else 1e-12)
