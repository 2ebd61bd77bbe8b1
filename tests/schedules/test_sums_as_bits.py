"""Codes of sums by the bits of numbers, as ARM's kernels make them."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from codes import convolution, module, result_of, sums
from cores import cpu
from executed import assembly_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.graph.sums_as_bits import beginnings

TO = Code(0.5, -3, "int8")
LARGE = 1.5 * 2**23


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    ratio=st.floats(1 / 4000, 1 / 8),
    same=st.booleans(),
    seed=st.integers(0, 99),
)
def test_constants_leave_out_next_to_nothing(ratio: float, same: bool, seed: int) -> None:
    """At worst a scale is a ratio of integers, the same one for all channels."""
    generator = np.random.default_rng(seed)
    scales = np.full((1, 40, 1, 1), 1 / round(1 / ratio))
    if not same:
        scales = ratio * np.exp(generator.normal(0, 0.5, scales.shape))
    biases = generator.uniform(-200, 200, scales.shape)
    found = beginnings(scales, biases)
    if found is not None:
        first, single, constants = found
        off = (first + LARGE) * single.astype(np.float64) + constants - LARGE - biases
        assert np.abs(off).mean() <= 2**-11
        assert (np.rint(constants) == constants).all()
        np.testing.assert_allclose(single, scales, rtol=2**-18)


def layer(
    scales: np.ndarray, weight: np.ndarray, code: Code, swish: bool = False, groups: int = 1
) -> Callable[..., relax.Expr]:
    """Return a convolution whose sums become codes, not less than zero's or of their hard swish."""
    sums_of = convolution(weight, code, scales, groups=groups)

    def graph(emit: Callable[[relax.Expr], relax.Var], codes: relax.Var) -> relax.Expr:
        number = emit(sums_of(emit, codes))
        if not swish:
            return quantized.quantize(emit(relax.op.nn.relu(number)), TO)
        moved = emit(relax.op.add(number, relax.const(3.0)))
        clipped = emit(relax.op.clip(moved, 0.0, 6.0))
        gate = emit(relax.op.divide(clipped, relax.const(6.0)))
        return quantized.quantize(emit(relax.op.multiply(number, gate)), TO)

    return graph


@pytest.mark.parametrize(
    "target",
    [pytest.param(name, marks=pytest.mark.emulated("aarch64")) for name in ("rpi4", "rpi5")],
)
@pytest.mark.parametrize("swish", [False, True])
@pytest.mark.parametrize(
    ("inner", "outer", "groups"), [(64, 48, 1), (20, 29, 1), (3, 16, 1), (1, 32, 32)]
)
def test_codes_are_those_next_to_the_numbers(
    inner: int, outer: int, groups: int, swish: bool, target: str
) -> None:
    generator = np.random.default_rng(inner)
    codes = generator.integers(-128, 128, (1, inner * groups, 24, 24), dtype=np.int8)
    weight = generator.integers(-63, 64, (outer, inner, 1, 1), dtype=np.int8)
    scales = (0.5 / 60 / inner**0.5 * np.exp(generator.normal(0, 0.3, outer))).astype(np.float32)
    code = Code(1.0, 17, "int8")
    found = result_of(layer(scales, weight, code, swish, groups), codes, cpu(target)).astype(int)
    exact_sums = sums(codes, weight, code.zero, groups=groups)
    numbers = exact_sums * scales.astype(np.float64).reshape(1, -1, 1, 1)
    of_swish = numbers * np.clip(numbers + 3, 0, 6) / 6
    exact = np.rint((of_swish if swish else np.maximum(numbers, 0)) / TO.scale) + TO.zero
    wanted = np.clip(exact, -128, 127)
    assert np.abs(found - wanted).max() <= 1
    assert (found != wanted).mean() < 1e-3
    assert (np.abs(wanted) < 127).mean() > 0.1, "not all are bounds"


@pytest.mark.parametrize("swish", [False, True])
def test_no_sum_is_converted(swish: bool) -> None:
    device = cpu("rpi4").with_cores(1)
    weight = np.full((64, 64, 1, 1), 3, np.int8)
    graph = layer(np.full(64, 0.0123, np.float32), weight, Code(1.0, 0, "int8"), swish)
    mod = pipeline.run(module((1, 64, 8, 8), "int8", graph), device)
    text = assembly_of(mod, device)
    assert re.search(r"\buzp1\b", text)
    assert not re.search(r"\bscvtf\b|\bfcvtns\b", text)
