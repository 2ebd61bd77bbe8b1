"""Products of codes that are added in 16 bits first, as ARM does without dot products."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import tvm
from codes import convolution, module, result_of, sums
from cores import cpu
from executed import assembly_of
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import Cpu

# The layer's weights, strides, groups and side of the map.
LAYERS = {
    "pointwise": ((96, 96, 1, 1), 1, 1, 14),
    "few channels": ((96, 24, 1, 1), 1, 1, 14),
    "one step": ((96, 16, 1, 1), 1, 1, 28),
    "odd channels": ((29, 58, 1, 1), 1, 1, 7),
    "first": ((32, 3, 3, 3), 2, 1, 32),
    "3x3": ((64, 64, 3, 3), 2, 1, 14),
    "groups": ((64, 16, 3, 3), 1, 4, 7),
    "depthwise": ((64, 1, 3, 3), 1, 64, 14),
    "depthwise of half vectors": ((24, 1, 5, 5), 2, 24, 9),
}
MACHINES = [
    pytest.param("rpi4", marks=pytest.mark.emulated("aarch64")),
    pytest.param("rpi2", marks=pytest.mark.emulated("armv7l")),
]


def options(strides: int, groups: int, kernel: int) -> dict[str, int]:
    return {"strides": strides, "padding": kernel // 2, "groups": groups}


@pytest.mark.parametrize("target", MACHINES)
@pytest.mark.parametrize("largest", [127, 63, 31])
@pytest.mark.parametrize("name", LAYERS)
def test_sums_are_exact_at_the_ends_of_all_ranges(name: str, largest: int, target: str) -> None:
    """Run in the emulator: the sums are int32's, of the greatest codes and weights there are."""
    shape, strides, groups, side = LAYERS[name]
    generator = np.random.default_rng(side)
    codes = generator.choice([-128, 127], (1, shape[1] * groups, side, side), p=[0.9, 0.1])
    weight = generator.choice([-largest, largest], shape, p=[0.1, 0.9]).astype(np.int8)
    weight[0] = generator.integers(-largest, largest + 1, shape[1:])
    code, more = Code(1.0, -128, "int8"), options(strides, groups, shape[2])
    found = result_of(convolution(weight, code, **more), codes.astype(np.int8), cpu(target))
    np.testing.assert_array_equal(found, sums(codes, weight, code.zero, **more))


def compiled(name: str, device: Cpu, least: int = -127) -> tvm.IRModule:
    """Return a layer whose sums become codes again."""
    shape, strides, groups, side = LAYERS[name]
    weight, code = np.full(shape, least, np.int8), Code(0.01, -128, "int8")
    layer = convolution(weight, code, **options(strides, groups, shape[2]))

    def graph(emit: Callable[[relax.Expr], relax.Var], codes: relax.Var) -> relax.Expr:
        return quantized.quantize(emit(layer(emit, codes)), code)

    given = (1, shape[1] * groups, side, side)
    return pipeline.run(module(given, "int8", graph), device)


@pytest.mark.parametrize("target", ["rpi3", "rpi4"])
@pytest.mark.parametrize("least", [-127, -63])
@pytest.mark.parametrize("name", [name for name in LAYERS if name != "depthwise of half vectors"])
def test_the_hot_loop_multiplies_bytes(name: str, least: int, target: str) -> None:
    """Two products an addition of 32 bits, or more of small weights; nothing is widened, brought to
    all lanes or spilled."""
    device = cpu(target).with_cores(1)
    text = assembly_of(compiled(name, device, least), device)
    blocks = re.split(r"^\.L(?!tmp)\w+:|^\s+(?:b|b\.\w+|cbn?z|tbn?z)\s.*$", text, flags=re.M)
    hot = max(blocks, key=lambda block: len(re.findall(r"smlal2?\s", block)))
    products = len(re.findall(r"sm[ul]l?al?2?\s|smull2?\s", hot))
    additions = (
        len(re.findall(r"sadalp|saddlp", hot)) or len(re.findall(r"saddw2?|sshll2?", hot)) / 2
    )
    assert products >= 16
    # Of four codes a lane has one pair at a time.
    long_runs = least > -127 and name != "odd channels"
    assert additions <= products * (0.4 if long_runs else 0.62)
    assert not re.search(r"sxtl|[ls]d?tr?p?\s+q.*\[sp|\sdup\s.*\.8h", hot)


def test_a_weight_of_the_least_byte_is_multiplied_alone() -> None:
    """Two products of it with the least code would not fit 16 bits."""
    device = cpu("rpi4")
    for least, rule in ((-127, "depthwise_pairs"), (-128, "depthwise")):
        assert rule in kernels_by_rule(compiled("depthwise", device, least))
