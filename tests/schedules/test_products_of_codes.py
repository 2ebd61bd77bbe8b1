"""Products of quantized numbers with each other, whose codes come of products of integers."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from codes import module, result_of
from cores import cpu
from executed import assembly_of
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.constants import constant
from tvmlcnn.graph.quantized_operators import Code


def scaled(gate: np.ndarray, codes: list[Code]) -> Callable[..., relax.Expr]:
    """Return what multiplies codes by others, a number for each channel, and quantizes."""

    def graph(emit: Callable[[relax.Expr], relax.Var], data: relax.Var) -> relax.Expr:
        place = emit(relax.op.reshape(relax.op.sum(data, [2, 3]), (1, 24, 1, 1)))
        # Whatever the sums are, it is the codes that are given.
        given = emit(relax.op.add(emit(relax.op.subtract(place, place)), constant(gate)))
        factors = [
            emit(quantized.dequantize(of, code))
            for of, code in zip((data, given), codes, strict=False)
        ]
        return quantized.quantize(emit(relax.op.multiply(*factors)), codes[2])

    return graph


@pytest.mark.emulated("aarch64")
@pytest.mark.parametrize("columns", [4, 7, 32])
@pytest.mark.parametrize(
    ("zeros", "step"),
    [((-20, -128, -7), 0.03), ((127, 0, 0), 0.011), ((-128, 127, 127), 0.002), ((0, 0, 0), 1e-5)],
)
def test_codes_are_those_next_to_the_products(
    zeros: tuple[int, int, int], step: float, columns: int
) -> None:
    """Also where most are bounds, and where they are too large for their bits to be taken."""
    generator = np.random.default_rng(1)
    data = generator.integers(-128, 128, (1, 24, 9, columns), dtype=np.int8)
    gate = generator.integers(-128, 128, (1, 24, 1, 1), dtype=np.int8)
    gate[0, :2, 0, 0] = -128, 127
    codes = [Code(s, z, "int8") for s, z in zip((0.05, 1 / 255, step), zeros, strict=True)]
    found = result_of(scaled(gate, codes), data, cpu("rpi4")).astype(int)
    left, right = (
        (of.astype(np.int64) - code.zero) * code.scale
        for of, code in zip((data, gate), codes, strict=False)
    )
    wanted = np.clip(np.rint(left * right / step) + zeros[2], -128, 127)
    assert np.abs(found - wanted).max() <= 1
    assert (found != wanted).mean() < 1e-3


@pytest.mark.parametrize("columns", [4, 8, 32])
def test_no_code_is_made_a_number(columns: int) -> None:
    device = cpu("rpi4").with_cores(1)
    codes = [Code(0.05, -20, "int8"), Code(1 / 255, -128, "int8"), Code(0.03, -7, "int8")]
    gate = np.full((1, 24, 1, 1), 100, np.int8)
    mod = pipeline.run(module((1, 24, 9, columns), "int8", scaled(gate, codes)), device)
    text = assembly_of(mod, device)
    assert not re.search(r"\bscvtf\b|\bfcvtns\b", text)
    assert re.search(r"\bsqrdmulh\b", text)
    assert not re.search(r"\bsmull2?\s+v\d+\.2d", text), "nothing is multiplied in 64 bits"
