"""Means of maps are taken of codes, and become numbers then."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from codes import HERE, module, result_of
from tvm import relax

from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.passes.integer_layers import integer_layers
from tvmlcnn.targets import DEVICES, Cpu

Emit = Callable[[relax.Expr], relax.Var]


def means(form: str, code: Code) -> Callable[[Emit, relax.Var], relax.Expr]:
    def graph(emit: Emit, codes: relax.Var) -> relax.Expr:
        numbers = emit(quantized.dequantize(codes, code))
        if form == "adaptive":
            return relax.op.nn.adaptive_avg_pool2d(numbers, [1, 1])
        return relax.op.mean(numbers, [-1, -2], form == "kept")

    return graph


@pytest.mark.parametrize("device", HERE, ids=lambda device: device.name)
@pytest.mark.parametrize("form", ["adaptive", "kept", "dropped"])
@pytest.mark.parametrize(("channels", "side", "zero"), [(40, 7, 0), (37, 33, 97), (3, 1, 255)])
def test_means_are_those_of_the_numbers(
    device: Cpu, form: str, channels: int, side: int, zero: int
) -> None:
    codes = np.random.default_rng(side).integers(0, 256, (2, channels, side, side), np.uint8)
    found = result_of(means(form, Code(0.25, zero, "uint8")), codes, device)
    numbers = (codes.astype(np.float64) - zero) * 0.25
    np.testing.assert_allclose(
        found, numbers.mean((2, 3), keepdims=form != "dropped"), rtol=1e-6, atol=1e-5
    )


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_codes_of_the_other_type_are_moved_first(dtype: str) -> None:
    low = np.iinfo(dtype).min
    codes = np.random.default_rng(0).integers(low, low + 256, (1, 16, 5, 5)).astype(dtype)
    found = result_of(means("kept", Code(0.5, low + 9, dtype)), codes, HERE[0])
    numbers = (codes.astype(np.float64) - low - 9) * 0.5
    np.testing.assert_allclose(found, numbers.mean((2, 3), keepdims=True), rtol=1e-6)


def test_no_numbers_of_maps_are_made() -> None:
    graph = means("kept", Code(0.5, 9, "uint8"))
    script = integer_layers(DEVICES["x86"])(module((1, 32, 14, 14), "uint8", graph)).script()
    assert quantized.MEAN_OF_CODES in script
    assert "astype" not in script


@pytest.mark.parametrize("axes", [[1], [2], [1, 2, 3]])
def test_other_means_are_of_numbers(axes: list[int]) -> None:
    def graph(emit: Emit, codes: relax.Var) -> relax.Expr:
        return relax.op.mean(emit(quantized.dequantize(codes, Code(0.5, 9, "uint8"))), axes)

    script = integer_layers(DEVICES["x86"])(module((1, 8, 6, 6), "uint8", graph)).script()
    assert quantized.MEAN_OF_CODES not in script
    codes = np.random.default_rng(1).integers(0, 256, (1, 8, 6, 6), np.uint8)
    numbers = (codes.astype(np.float64) - 9) * 0.5
    found = result_of(graph, codes, HERE[0])
    np.testing.assert_allclose(found, numbers.mean(tuple(axes)), rtol=1e-5)
