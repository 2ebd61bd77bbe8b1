"""Weights that are small enough for an instruction that saturates otherwise, and no others."""

from __future__ import annotations

import numpy as np
import pytest
from codes import HERE, convolution, module, result_of, sums
from executed import assembly_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn import pipeline
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.targets import DEVICES, Cpu

few = settings(max_examples=12, deadline=None, derandomize=True)
WITHOUT = [device for device in HERE if device.weight_bounds.largest < 127]
"""Processors without dot products."""
CODE = Code(1.0, 9, "uint8")


@pytest.mark.parametrize("device", WITHOUT, ids=lambda device: device.name)
@few
@given(
    inner=st.integers(1, 40),
    outer=st.integers(1, 40),
    side=st.integers(3, 9),
    kernel=st.sampled_from([1, 3]),
    groups=st.sampled_from([1, 1, 2]),
    seed=st.integers(0, 9),
)
def test_sums_are_exact(
    device: Cpu, inner: int, outer: int, side: int, kernel: int, groups: int, seed: int
) -> None:
    """As large as weights and codes may be, half of them, and of one sign."""
    generator = np.random.default_rng(seed)
    largest = device.weight_bounds.largest
    codes = generator.choice([0, 255, 131], (1, inner * groups, side, side)).astype(np.uint8)
    shape = (outer * groups, inner, kernel, kernel)
    weight = generator.choice([largest, largest, -largest, 5], shape).astype(np.int8)
    weight[: outer // 2] = -largest
    options = {"padding": kernel // 2, "groups": groups}
    found = result_of(convolution(weight, CODE, **options), codes, device)
    np.testing.assert_array_equal(found, sums(codes, weight, CODE.zero, **options))


@pytest.mark.parametrize("device", WITHOUT, ids=lambda device: device.name)
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(("beyond", "saturates"), [(0, True), (1, False)])
def test_larger_ones_have_another_instruction(
    device: Cpu, kernel: int, beyond: int, saturates: bool
) -> None:
    for sign in (1, -1):
        weight = np.zeros((32, 16, kernel, kernel), np.int8)
        weight[31, 15] = sign * (device.weight_bounds.largest + beyond)
        graph = convolution(weight, CODE, padding=kernel // 2)
        mod = pipeline.run(module((1, 16, 8, 8), "uint8", graph), device)
        assert ("vpmaddubsw" in assembly_of(mod, device)) == saturates


def test_dot_products_take_all_weights() -> None:
    names = ("x86", "rpi5", "rpi4", "cuda")
    assert {name: DEVICES[name].weight_bounds.largest for name in names} == {
        "x86": 64, "rpi5": 127, "rpi4": 63, "cuda": 127,
    }  # fmt: skip
