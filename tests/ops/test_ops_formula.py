"""Element-wise operators as kernels compute them, one by one and as formulas, against numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import te

from tvmlcnn.elementwise import OPERATORS
from tvmlcnn.ops import Earlier, Formula, Parameter, Step, chain

BINARY = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
WRITTEN = {
    operator.relax: operator
    for operator in OPERATORS
    if operator.te is not None and operator.relax in ("clip", "nn.relu", *BINARY)
}
"""Those that are not functions of one number, which tests/vector_math is about."""
ORACLES: dict[str, Callable[..., np.ndarray]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "clip": np.clip,
    "nn.relu": lambda value: np.maximum(value, 0),
}
X, Y, Z = np.random.default_rng(0).standard_normal((3, 4, 5), np.float32)


def computed(formula: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """Return what a formula makes of each element."""
    tensors = [te.placeholder(a.shape, str(a.dtype), f"input{i}") for i, a in enumerate(arrays)]
    result = te.compute(tensors[0].shape, lambda *place: formula(*(t(*place) for t in tensors)))
    function = te.create_prim_func([*tensors, result]).with_attr("global_symbol", "main")
    library = tvm.compile(tvm.IRModule({"main": function}), target="llvm")
    out = tvm.runtime.tensor(np.full(arrays[0].shape, np.nan, str(result.dtype)))
    library["main"](*map(tvm.runtime.tensor, arrays), out)
    return out.numpy()


def equal(actual: np.ndarray, expected: np.ndarray) -> bool:
    return actual.dtype == np.float32 and np.allclose(actual, expected, rtol=1e-6, atol=0)


def test_each_operator_that_is_written_in_te_has_an_oracle() -> None:
    assert WRITTEN.keys() == ORACLES.keys()


@pytest.mark.parametrize("name", sorted(WRITTEN.keys() - {"clip"}))
def test_an_operator(name: str) -> None:
    arrays = (X, Y)[: WRITTEN[name].operands]
    assert equal(computed(chain([f"relax.{name}"]), *arrays), ORACLES[name](*arrays))


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 6.0), (-0.5, 0.5), (-np.inf, 0.25), (-0.25, np.inf), (-np.inf, np.inf)]
)
def test_clip(low: float, high: float) -> None:
    """Bounds that bound nothing are left out."""
    formula = Formula((Step("relax.clip", (Earlier(0), low, high)),))
    assert equal(computed(formula, X), np.clip(X, low, high))


@pytest.mark.parametrize(
    "name", sorted(n for n, operator in WRITTEN.items() if operator.operands == 2)
)
def test_a_constant_operand(name: str) -> None:
    """On either side, in the type of the value."""
    right = Formula((Step(f"relax.{name}", (Earlier(0), 0.3)),))
    left = Formula((Step(f"relax.{name}", (0.3, Earlier(0))),))
    assert equal(computed(right, X), ORACLES[name](X, np.float32(0.3)))
    assert equal(computed(left, X), ORACLES[name](np.float32(0.3), X))


def test_a_formula_of_no_steps_is_the_value() -> None:
    assert equal(computed(Formula(()), X), X)
    assert chain([]) == Formula(())


def test_a_chain_takes_parameters_as_they_come() -> None:
    formula = chain(["relax.multiply", "relax.nn.relu", "relax.add"])
    assert formula == Formula(
        (
            Step("relax.multiply", (Earlier(0), Parameter(0))),
            Step("relax.nn.relu", (Earlier(1),)),
            Step("relax.add", (Earlier(2), Parameter(1))),
        )
    )
    assert equal(computed(formula, X, Y, Z), np.maximum(X * Y, 0) + Z)


def test_steps_that_read_a_value_twice() -> None:
    """H-swish of a bias's sum: the sum goes into the clip and past it."""
    formula = Formula(
        (
            Step("relax.add", (Earlier(0), Parameter(0))),
            Step("relax.add", (Earlier(1), 3.0)),
            Step("relax.clip", (Earlier(2), 0.0, 6.0)),
            Step("relax.multiply", (Earlier(1), Earlier(3))),
            Step("relax.divide", (Earlier(4), 6.0)),
        )
    )
    value = 4 * X + Y
    assert equal(computed(formula, 4 * X, Y), value * np.clip(value + 3, 0, 6) / 6)


def test_the_same_parameter_twice() -> None:
    steps = (
        Step("relax.subtract", (Parameter(1), Earlier(0))),
        Step("relax.multiply", (Earlier(1), Parameter(1))),
    )
    assert equal(computed(Formula(steps), X, Y, Z), (Z - X) * Z)


def test_attributes_follow_the_operands() -> None:
    formula = Formula((Step("relax.nn.leakyrelu", (Earlier(0),), (0.25,)),))
    assert equal(computed(formula, X), np.where(X > 0, X, X * np.float32(0.25)))


def test_relu_and_clip_keep_nan() -> None:
    x = np.array([[np.nan, -1.0, 7.0]], np.float32)
    relu = computed(chain(["relax.nn.relu"]), x)
    clip = computed(Formula((Step("relax.clip", (Earlier(0), 0.0, 6.0)),)), x)
    assert np.array_equal(relu, np.array([[np.nan, 0, 7]], np.float32), equal_nan=True)
    assert np.array_equal(clip, np.array([[np.nan, 0, 6]], np.float32), equal_nan=True)
