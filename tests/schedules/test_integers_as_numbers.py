"""Depthwise sums of codes in float32 are those of integers, where they are taken for them."""

from __future__ import annotations

import numpy as np
import pytest
from codes import HERE, convolution, module, result_of, sums
from executed import assembly_of
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import Cpu

WITHOUT = [device for device in HERE if device.weight_bounds.largest < 127]


@pytest.mark.parametrize("device", WITHOUT, ids=lambda device: device.name)
@pytest.mark.parametrize("zero", [0, 255])
@pytest.mark.parametrize("kernel", [3, 15, 17])
def test_the_greatest_sums_are_exact(device: Cpu, zero: int, kernel: int) -> None:
    """Those of larger kernels would be too long, and are of integers."""
    shape = (1, 32, kernel + 2, kernel + 2)
    codes = np.full(shape, 255 - zero, np.uint8)
    codes[0, 1::3, ::2] = 254
    weight = np.full((32, 1, kernel, kernel), -128, np.int8)
    weight[::2] = 127
    graph = convolution(weight, Code(1.0, zero, "uint8"), padding=kernel // 2, groups=32)
    found = result_of(graph, codes, device)
    wanted = sums(codes, weight, zero, padding=kernel // 2, groups=32)
    np.testing.assert_array_equal(found, wanted)
    mod = pipeline.run(module(shape, "uint8", graph), device)
    assert ("depthwise" in kernels_by_rule(mod)) == (kernel < 17)


@pytest.mark.parametrize("device", WITHOUT, ids=lambda device: device.name)
@pytest.mark.parametrize("zero", [0, 7])
def test_no_integers_are_made_on_the_way_to_codes(device: Cpu, zero: int) -> None:
    code, weight = Code(0.5, zero, "uint8"), np.full((32, 1, 3, 3), 3, np.int8)

    def graph(emit: object, codes: relax.Var) -> relax.Expr:
        made = emit(convolution(weight, code, padding=1, groups=32)(emit, codes))  # type: ignore[operator]
        return quantized.quantize(made, Code(8.0, 0, "uint8"))

    mod = pipeline.run(module((1, 32, 16, 16), "uint8", graph), device)
    (kernel,) = kernels_by_rule(mod)["depthwise"]
    text = assembly_of(mod, device).partition(f"{kernel}_compute_:")[2]
    assert "vfmadd" in text
    assert "vcvttps2dq" not in text
