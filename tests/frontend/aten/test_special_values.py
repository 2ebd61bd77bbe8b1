"""What is no number, infinity, and rounding: as torch has them, and not as algebra has."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from together import Case, faults

F = torch.nn.functional

_FIRST = torch.tensor([2.0, math.nan, -1, math.inf, -math.inf, 0, 1.3, 0.2, 5, -7.6, math.nan, 3.3])
_SECOND = torch.tensor([math.nan, math.nan, 2, math.inf, math.inf, 0, 1e8, 0.1, 3, 2, 1, 1e5])
_ROUND = 1.5 * 2**23  # what is added to it has no bits behind the point

Function = Callable[[torch.Tensor, torch.Tensor], object]

_ARITHMETIC: dict[str, Function] = {
    "x - x": lambda x, y: x * 2 - x * 2,
    "x + y - y": lambda x, y: x + y - y,
    "x + c - c": lambda x, y: x + _ROUND - _ROUND,
    "x + c + -c": lambda x, y: x + _ROUND + -_ROUND,
    "x - y + y": lambda x, y: x - y + y,
    "x * y / y": lambda x, y: x * y / y,
    "x * 0": lambda x, y: x * 0,
    "0 / x": lambda x, y: 0 / x,
    "x / 0": lambda x, y: x / 0,
    "1 / (x * 0)": lambda x, y: 1 / (x * 0),
    "softshrink": lambda x, y: F.softshrink(x),
}
_COMPARISONS: dict[str, Function] = {
    "==": lambda x, y: (x == y, x == x, x * 2 == x * 2),
    "!=": lambda x, y: (x != y, x != x, x * 2 != x * 2),
    "not ==": lambda x, y: ~(x == y),
    "not !=": lambda x, y: ~(x != y),
    "< and <=": lambda x, y: (x < y, x <= y, x > y, x >= y),
    "not < and not <=": lambda x, y: (~(x < y), ~(x <= y), ~(x > y), ~(x >= y)),
    "< or >=": lambda x, y: (x < y) | (x >= y),
    "<= and not < and not ==": lambda x, y: (x <= y) & ~(x < y) & ~(x == y),
    "one of three": lambda x, y: torch.where(x < y, 1.0, torch.where(x >= y, 2.0, 3.0)),
    "NaN replaced": lambda x, y: torch.where(x == x, x, 0.0),
    "bool": lambda x, y: x.bool(),
    "isfinite": lambda x, y: (torch.isfinite(x), ~torch.isinf(x), ~torch.isnan(x)),
    "how many are a number": lambda x, y: (torch.nanmean(x), (~x.isnan()).sum()),
    "how many are not zero": lambda x, y: torch.linalg.vector_norm(x, 0),
}
_EXTREMES: dict[str, Function] = {
    "of two": lambda x, y: (torch.maximum(x, y), torch.minimum(x, y), torch.maximum(y, x)),
    "of a tensor and a constant": lambda x, y: torch.maximum(x, torch.zeros(12)),
    "clamp": lambda x, y: (x.clamp(-1, 2), x.clamp(torch.tensor(0.0), y), x.relu()),
    "of all": lambda x, y: (x.amax(), x.amin(), x.max(), x.min(), torch.aminmax(x)),
    "of rows": lambda x, y: (x.view(3, 4).amax(1), x.view(3, 4).amin(1, keepdim=True)),
    "of columns": lambda x, y: (x.view(3, 4).amax(0), x.view(3, 4).amin(0, keepdim=True)),
    "of a map": lambda x, y: F.adaptive_max_pool2d(x.view(1, 1, 3, 4), (2, 1)),
    "places in all": lambda x, y: (x.argmax(), x.argmin(), y.argmax(), y.argmin()),
    "places in rows": lambda x, y: (x.view(3, 4).max(1), x.view(3, 4).min(1)),
    "places in columns": lambda x, y: (x.view(3, 4).max(0), x.view(3, 4).min(0)),
    "places of infinities": lambda x, y: (x[3:5].argmin(), x[3:4].argmin(), x[4:5].argmax()),
    "norms": lambda x, y: (x.norm(math.inf), x.norm(-math.inf), x.norm(0), x[0].norm(0)),
}


def _assert_as_torch(functions: dict[str, Function]) -> None:
    cases = [Case(name, function, (_FIRST, _SECOND)) for name, function in functions.items()]
    assert faults(cases) == {}


@pytest.mark.parametrize("functions", [_ARITHMETIC, _COMPARISONS], ids=["arithmetic", "comparison"])
def test_numbers_are_those_of_floating_point(functions: dict[str, Function]) -> None:
    """TVM's simplifier has them for real numbers."""
    _assert_as_torch(functions)


def test_extremes_are_no_number_where_one_is_none() -> None:
    _assert_as_torch(_EXTREMES)


@pytest.mark.parametrize("shape", [(21, 5, 16), (3, 40), (7, 2, 3, 24)])
@pytest.mark.parametrize("unknown", [0, 0.05])
def test_places_of_extremes_in_vectors_of_rows(shape: tuple[int, ...], unknown: float) -> None:
    torch.manual_seed(0)
    data = torch.randint(-3, 4, shape).float()  # many are equal
    data[torch.rand(shape) < unknown] = math.nan
    cases = [
        Case(f"{dim}", lambda x, dim=dim: (x.argmax(dim), x.min(dim), x.int().argmin(dim)), (data,))
        for dim in range(len(shape))
    ]
    assert faults(cases) == {}
