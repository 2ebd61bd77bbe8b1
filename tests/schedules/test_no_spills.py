"""Hot loops keep what they need in registers: told by reading the code for each Raspberry Pi."""

from __future__ import annotations

from pathlib import Path

import pytest
from arm_code import hot_loops, stack_in_hot_loops
from counting import needs_programs

import tvmlcnn

TARGETS = ("rpi2", "rpi3", "rpi4", "rpi5")
ZOO = (
    "alexnet",
    "densenet121",
    "mobilefacenet",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "preresnet_cifar?depth=20",
    "resnet50",
    "resnext50_32x4d",
    "se_resnet50",
    "shufflenet_v1",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
)


def test_a_hot_loop_multiplies_and_has_no_other_loop_in_it() -> None:
    inner = ["ldr q0, [x0], #16", "fmla v1.4s, v0.4s, v2.4s", "b.ne #-8"]
    outer = ["ldr x9, [sp, #8]", *inner, "cbnz x9, #-16"]
    copies = ["ldr q0, [sp, #16]", "str q0, [x1], #16", "b.lt #-8"]
    assert list(hot_loops([*outer, *copies, "bl #-400"])) == [inner]


@pytest.mark.slow
@needs_programs
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("network", ZOO)
def test_no_hot_loop_accesses_the_stack(network: str, target: str, tmp_path: Path) -> None:
    path = tmp_path / "net.so"
    tvmlcnn.compile(network, target, output=path, check=False)
    assert stack_in_hot_loops(path) == {}, "accesses of the worst loop, by kernel"
