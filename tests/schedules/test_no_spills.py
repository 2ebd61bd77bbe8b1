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


def _shares(network: str, target: str, folder: Path, least: float) -> dict[str, float]:
    """Return the kernels whose hot loops access the stack by more than a share."""
    path = folder / "net.so"
    tvmlcnn.compile(network, target, output=path, check=False)
    return {name: share for name, share in stack_in_hot_loops(path).items() if share > least}


# What may be on the stack: the values of two loads that LLVM makes one of, ahead of their use, and
# scales that it takes out of a loop, which would be loaded all the same. A depthwise kernel in a
# pair holds all its weights; the Pi 2 has half the registers.
@needs_programs
@pytest.mark.parametrize(
    ("network", "target", "most"),
    [
        ("mobilenet_v2", "rpi4", 1 / 50),
        ("squeezenet1_1", "rpi4", 1 / 50),
        ("mobilenet_v3_small", "rpi2", 1 / 8),
    ],
)
def test_hot_loops_keep_sums_in_registers(
    network: str, target: str, most: float, tmp_path: Path
) -> None:
    assert _shares(network, target, tmp_path, most) == {}, "shares of accesses, by kernel"


# The worst are loops that scale a prologue's rows on a core that issues in order: LLVM takes scales
# and biases of up to 32 vectors out of them.
@pytest.mark.slow
@needs_programs
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("network", ZOO)
def test_no_hot_loop_is_of_the_stack(network: str, target: str, tmp_path: Path) -> None:
    assert _shares(network, target, tmp_path, 2 / 5) == {}, "shares of accesses, by kernel"
