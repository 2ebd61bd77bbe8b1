"""What joins the sums of a convolution is stored as codes, of which it takes the numbers itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from codes import HERE, convolution, module, result_of, sums
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.graph.variables import bindings
from tvmlcnn.targets import Cpu

Emit = Callable[[relax.Expr], relax.Var]
CODE, HELD, AFTER = Code(0.5, 3, "uint8"), Code(1.5, 120, "uint8"), Code(3.0, 128, "uint8")
SHAPE = (1, 32, 6, 6)


def weight(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-127, 128, (32, 32, 1, 1), dtype=np.int8)


def held(emit: Emit, numbers: relax.Expr) -> relax.Var:
    """Return the numbers that codes of others stand for."""
    return emit(quantized.dequantize(emit(quantized.quantize(numbers, HELD)), HELD))


def two_branches(first: bool, second: bool, swapped: bool = False) -> Callable[..., relax.Expr]:
    """Return the sum of two convolutions, each of which may be held as codes."""

    def graph(emit: Emit, codes: relax.Var) -> relax.Expr:
        branches = []
        for seed, codes_between in enumerate((first, second)):
            scales = np.full(32, 0.01, np.float32)
            numbers = emit(convolution(weight(seed), CODE, scales)(emit, codes))
            branches.append(held(emit, numbers) if codes_between else numbers)
        whole = emit(relax.op.add(*(branches[::-1] if swapped else branches)))
        return quantized.quantize(emit(relax.op.nn.relu(whole)), AFTER)

    return graph


def stored(graph: Callable[..., relax.Expr], device: Cpu = HERE[0]) -> list[str]:
    """Return the types of what kernels hand on."""
    main = pipeline.run(module(SHAPE, "uint8", graph), device)["main"]
    allocated = [b for b in bindings(main) if "alloc" in str(b.value)]
    return [str(b.var.ty.dtype) for b in allocated if hasattr(b.var.ty, "dtype")]


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_codes_are_stored(first: bool, second: bool, swapped: bool) -> None:
    assert set(stored(two_branches(first, second, swapped))) == {"uint8"}


def test_sums_that_no_codes_are_between_stay_numbers() -> None:
    assert "float32" in stored(two_branches(False, False))


@pytest.mark.parametrize("device", HERE, ids=lambda device: device.name)
@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True)])
def test_the_result_is_the_same(device: Cpu, first: bool, second: bool) -> None:
    """A step at most: scales are counted in each other, which rounds once less."""
    codes = np.random.default_rng(2).integers(0, 256, SHAPE, dtype=np.uint8)
    whole = np.zeros(SHAPE)
    for seed, codes_between in enumerate((first, second)):
        numbers = sums(codes, weight(seed), CODE.zero) * 0.005
        if codes_between:
            steps = np.clip(np.rint(numbers / HELD.scale) + HELD.zero, 0, 255)
            numbers = (steps - HELD.zero) * HELD.scale
        whole += numbers
    wanted = np.clip(np.rint(np.maximum(whole, 0) / AFTER.scale) + AFTER.zero, 0, 255)
    off = np.abs(result_of(two_branches(first, second), codes, device).astype(int) - wanted)
    assert off.max() <= 1
    assert (off > 0).mean() < 2e-3


def test_a_chain_is_one_kernel() -> None:
    """Codes that nothing joins are made into numbers, and other codes, in registers."""

    def graph(emit: Emit, codes: relax.Var) -> relax.Expr:
        numbers = emit(convolution(weight(0), CODE)(emit, codes))
        halves = emit(relax.op.multiply(held(emit, numbers), relax.const(0.5, "float32")))
        return quantized.quantize(halves, AFTER)

    assert set(stored(graph)) == {"uint8"}
    mod = pipeline.run(module(SHAPE, "uint8", graph), HERE[0])
    assert sum("codes" in variable.name_hint for variable in mod.functions) == 1
