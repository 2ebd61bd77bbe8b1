"""First layers of codes, whose pixels' taps are brought together on ARM."""

from __future__ import annotations

import numpy as np
import pytest
from codes import HERE, convolution, module, result_of, sums
from cores import cpu

from tvmlcnn import pipeline
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.targets import Cpu

CODE = Code(1.0, -100, "int8")


def _gathers(weight: np.ndarray, device: Cpu, **options: int) -> bool:
    graph = convolution(weight, CODE, **options)
    mod = pipeline.run(module((1, weight.shape[1], 24, 24), "int8", graph), device)
    return any("patches" in name.name_hint for name in mod.get_global_vars())


@pytest.mark.emulated("aarch64")
@pytest.mark.parametrize("target", ["rpi4", "rpi5"])
@pytest.mark.parametrize(
    ("inner", "kernel", "strides", "padding", "side"), [(3, 3, 2, 1, 25), (1, 3, 1, 0, 6)]
)
def test_sums_are_exact(
    inner: int, kernel: int, strides: int, padding: int, side: int, target: str
) -> None:
    generator = np.random.default_rng(side)
    shape = (2, inner, side, side + 5)
    codes = generator.choice([-128, 127, -100, 3], shape).astype(np.int8)
    weight = generator.integers(-127, 128, (20, inner, kernel, kernel)).astype(np.int8)
    options = {"strides": strides, "padding": padding}
    found = result_of(convolution(weight, CODE, **options), codes, cpu(target))
    np.testing.assert_array_equal(found, sums(codes, weight, CODE.zero, **options))


@pytest.mark.parametrize(
    ("shape", "options", "gathers"),
    [
        ((32, 3, 3, 3), {"strides": 2}, True),
        ((32, 3, 1, 1), {}, False),
        ((32, 4, 3, 3), {}, False),
        ((32, 3, 5, 5), {}, False),
        ((32, 3, 3, 3), {"dilation": 2}, False),
    ],
)
def test_few_codes_are_brought_together(
    shape: tuple[int, ...], options: dict[str, int], gathers: bool
) -> None:
    assert _gathers(np.ones(shape, np.int8), cpu("rpi4"), **options) == gathers


@pytest.mark.parametrize("device", HERE, ids=lambda device: device.name)
def test_not_where_a_load_serves_one_step(device: Cpu) -> None:
    assert not _gathers(np.ones((32, 3, 3, 3), np.int8), device, strides=2)
