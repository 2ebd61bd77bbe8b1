"""What a target of TVM's is taken for."""

from __future__ import annotations

import pytest

from tvmlcnn.targets import FLOAT32, Cpu, resolve


@pytest.mark.parametrize(
    ("mcpu", "lanes", "registers"),
    [("haswell", 8, 16), ("znver3", 8, 16), ("skylake-avx512", 16, 32), ("znver5", 16, 32)],
)
def test_vectors_of_an_x86_processor(mcpu: str, lanes: int, registers: int) -> None:
    device = resolve({"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": mcpu})
    assert isinstance(device, Cpu)
    assert (device.core(FLOAT32).lanes, device.vector_registers) == (lanes, registers)


def test_vectors_of_an_arm_processor() -> None:
    device = resolve({"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a76"})
    assert isinstance(device, Cpu)
    assert (device.core(FLOAT32).lanes, device.vector_registers) == (4, 32)
