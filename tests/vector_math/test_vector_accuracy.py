"""Vector functions and activations against float64, over dense ranges and at special values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from functions import SPECIAL, computed, exact
from torch.nn import functional
from tvm import tirx
from tvm.ir import Expr

from tvmlcnn import activations
from tvmlcnn.vector_math import POWER

NEAR_ZERO = np.concatenate([sign * 10.0 ** np.linspace(-30, 0, 4001) for sign in (1, -1)])
POSITIVE = np.exp(np.linspace(-87, 88, 100001))


def dense(low: float, high: float) -> np.ndarray:
    return np.concatenate([np.linspace(low, high, 100001), NEAR_ZERO])


def power(x: Expr, y: Expr) -> Expr:
    """Without the products and roots of `activations.power`."""
    return tirx.call_intrin("float32", POWER, x, y)


def log_sigmoid(x: torch.Tensor) -> torch.Tensor:
    """Without torch's own cancellation."""
    return torch.where(x > 0, -torch.log1p(torch.exp(-x)), x - torch.log1p(torch.exp(x)))


Case = tuple[Callable[..., Any], Callable[[torch.Tensor], torch.Tensor], np.ndarray, float]
RELATIVE: dict[str, Case] = {
    "exp": (tirx.exp, torch.exp, dense(-86.9, 88.7), 1.2e-7),
    "expm1": (activations.expm1, torch.expm1, dense(-30, 88.7), 2.4e-7),
    "log": (tirx.log, torch.log, np.concatenate([POSITIVE, dense(0.5, 2)[:100001]]), 2.4e-7),
    "log1p": (tirx.log1p, torch.log1p, np.r_[POSITIVE, dense(-0.999, 2)[:-1]], 4e-7),
    "tanh": (tirx.tanh, torch.tanh, dense(-20, 20), 5e-7),
    "erf": (tirx.erf, torch.erf, dense(-6, 6), 5e-7),
    "sigmoid": (activations.sigmoid, torch.sigmoid, dense(-87, 30), 4e-7),
    "silu": (activations.silu, functional.silu, dense(-87, 30), 4e-7),
    "mish": (activations.mish, functional.mish, dense(-86, 30), 6e-7),
    "selu": (activations.selu, functional.selu, dense(-30, 30), 5e-7),
    "elu": (
        partial(activations.elu, alpha=1.3),
        partial(functional.elu, alpha=1.3),
        dense(-30, 30),
        4e-7,
    ),
    "softplus": (
        partial(activations.softplus, beta=2.0, threshold=3.0),
        partial(functional.softplus, beta=2, threshold=3),
        dense(-5, 20),
        1e-6,
    ),
    "log_sigmoid": (activations.log_sigmoid, log_sigmoid, dense(-86, 80), 5e-7),
    **{
        f"power {number}": (
            lambda x, number=number: activations.power(x, tirx.const(number, "float32")),
            partial(torch.pow, exponent=number),
            np.exp(np.linspace(-20, 20, 100001)),
            2.4e-7,
        )
        for number in (0.5, 1.0, 2.0, 3.0, 4.0, -0.5, -1.0)
    },
    **{
        f"any power {number:.3g}": (
            lambda x, number=number: power(x, tirx.const(number, "float32")),
            partial(torch.pow, exponent=float(np.float32(number))),
            np.exp(np.linspace(-1, 1, 100001) * min(80, 80 / abs(number))),
            2e-7 + 1e-7 * abs(number),
        )
        for number in (1 / 2.2, 2.4, -0.45, 7.0, -3.0, 31.7, 1e-3)
    },
}
ABSOLUTE: dict[str, Case] = {
    "sin": (tirx.sin, torch.sin, np.r_[dense(-20, 20), dense(-1e9, 1e9)], 2e-7),
    "cos": (tirx.cos, torch.cos, np.r_[dense(-20, 20), dense(-1e9, 1e9)], 2e-7),
    "celu": (
        partial(activations.celu, alpha=1.3),
        partial(functional.celu, alpha=1.3),
        dense(-30, 0),
        4e-7,
    ),
    "gelu": (activations.gelu, functional.gelu, dense(-20, 0), 1e-6),
    "gelu_tanh": (
        activations.gelu_tanh,
        partial(functional.gelu, approximate="tanh"),
        dense(-20, 0),
        1e-6,
    ),
}


@pytest.mark.parametrize("name", RELATIVE)
def test_relative_error(name: str) -> None:
    function, oracle, points, bound = RELATIVE[name]
    x = points.astype(np.float32)
    expected = exact(oracle, x)
    error = np.abs(computed(function, x) - expected)
    # The second part is the last bit of the smallest normal number.
    assert np.all(error <= bound * np.abs(expected) + 2e-38)


@pytest.mark.parametrize("name", ABSOLUTE)
def test_absolute_error(name: str) -> None:
    function, oracle, points, bound = ABSOLUTE[name]
    x = points.astype(np.float32)
    assert np.abs(computed(function, x) - exact(oracle, x)).max() <= bound


@pytest.mark.parametrize("name", sorted({*RELATIVE, *ABSOLUTE} - {"sin", "cos"}))
def test_special_values(name: str) -> None:
    """Zeros, infinities, NaN, denormal and the largest numbers: what torch gives in float32."""
    function, oracle, *_ = {**RELATIVE, **ABSOLUTE}[name]
    expected = oracle(torch.from_numpy(SPECIAL)).numpy()
    if name == "gelu":  # torch's own vectors overflow
        expected = np.where(SPECIAL > 1e38, SPECIAL, expected)
    if name == "log_sigmoid":
        expected = functional.logsigmoid(torch.from_numpy(SPECIAL)).numpy()
    np.testing.assert_allclose(computed(function, SPECIAL), expected, rtol=1e-6, atol=2e-38)


def test_powers_of_special_values() -> None:
    """Of numbers of either sign, with zeros, infinities and NaN on both sides."""
    numbers = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0]
    numbers += [1e30, -1e30, 1e-30, 2.5, -2.5, 16777217.0, 3.4e38]
    y = torch.tensor(numbers, dtype=torch.float32)
    for base in numbers:
        found = computed(lambda y, x=base: power(tirx.const(x, "float32"), y), y.numpy())
        expected = torch.pow(torch.tensor(base, dtype=torch.float32), y).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-38, err_msg=str(base))
        assert (np.signbit(found) == np.signbit(expected))[~np.isnan(expected)].all(), base


@pytest.mark.parametrize("function", [tirx.sin, tirx.cos])
def test_waves_say_where_they_end(function: Callable[..., Any]) -> None:
    x = np.array([2.0**30, 2.0**31, np.inf, -np.inf, np.nan, 3e38], np.float32)
    assert np.isnan(computed(function, x)).tolist() == [False, True, True, True, True, True]


def test_nothing_leaves_its_range() -> None:
    x = dense(-20, 20).astype(np.float32)
    for function in (tirx.tanh, tirx.erf):
        assert np.abs(computed(function, x)).max() == 1
