"""What a target is taken for: TVM's own description, and the figures of each device."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tvmlcnn.targets import DEVICES, ELEMENT_TYPES, FLOAT32, Cpu, ElementType, resolve

CPUS = {name: device for name, device in DEVICES.items() if isinstance(device, Cpu)}
each_cpu = pytest.mark.parametrize("name", CPUS)


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


@each_cpu
def test_a_core_of_float32(name: str) -> None:
    """A vector is of 128 bits at least, and each cache larger than the one before."""
    device = CPUS[name]
    core = device.core(FLOAT32)
    assert core.element == FLOAT32
    assert core.bytes(core.lanes) in {16, 32, 64}
    assert core.vector_registers in {16, 32}
    assert core.line * FLOAT32.bytes == core.line_bytes == 64
    assert list(core.caches) == sorted(set(core.caches))
    assert 16 * 1024 <= core.first_cache < core.second_cache <= 4 * 1024**2
    assert core.count == device.cores
    assert list(core.vectors()) == [
        n for n in (core.lanes, core.lanes // 2, core.lanes // 4) if n >= 4
    ]


def test_a_core_of_one_cache() -> None:
    core = replace(CPUS["x86"], caches=(32 * 1024,)).core(FLOAT32)
    assert core.second_cache == core.first_cache


@each_cpu
def test_peak_follows_the_cores(name: str) -> None:
    device = replace(CPUS[name], clock_ghz=2.0)
    peak, half = device.peak_gflops, device.with_cores(2).peak_gflops
    assert peak is not None
    assert half is not None
    # A multiply-add of one vector in four cycles at least, of four in one at most.
    lanes = device.core(FLOAT32).lanes
    assert lanes * 1.0 * device.cores <= peak <= 8 * lanes * 2.0 * device.cores
    assert half * device.cores == pytest.approx(peak * 2)
    assert device.with_cores(2).core(FLOAT32).count == 2
    assert device.with_cores(2).tvm["num-cores"] == 2


def test_peak_is_not_known_without_a_clock() -> None:
    assert CPUS["x86"].peak_gflops is None


@each_cpu
def test_a_type_without_arithmetic(name: str) -> None:
    float8 = ElementType("float8", 1, "float32", 1e-2, 1e-2)
    with pytest.raises(ValueError, match=f"{name} has no arithmetic of float8"):
        CPUS[name].core(float8)
    assert not CPUS[name].computes(float8)


@each_cpu
def test_the_type_decides_about_a_core(name: str) -> None:
    """Half as wide, twice as many to a vector and a line; caches stay as they are."""
    device = CPUS[name]
    single = device.arithmetic[0]
    float16 = ElementType("float16", 2, "float32", 1e-2, 1e-3)
    instruction = replace(single.multiply_add, lanes=2 * single.multiply_add.lanes)
    half = replace(single, element=float16, multiply_add=instruction)
    core = replace(device, arithmetic=(single, half)).core(float16)
    assert core.lanes == 2 * device.core(FLOAT32).lanes
    assert core.line == 2 * device.core(FLOAT32).line
    assert core.bytes(core.lanes) == FLOAT32.bytes * device.core(FLOAT32).lanes
    assert core.caches == device.caches
    assert half.flops == 2 * single.flops


def test_element_types_are_known_by_their_names() -> None:
    assert all(element.name == name for name, element in ELEMENT_TYPES.items())
    assert ELEMENT_TYPES["float32"] is FLOAT32


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_states_its_figures(name: str) -> None:
    """Whichever family it is of: what every stage may ask."""
    device = DEVICES[name]
    assert device.name == name
    assert device.summary
    assert device.cores >= 1
    assert device.processor
    assert device.with_cores(1).cores == 1
    assert bool(device.gpu_code) == (device.family == "cuda")
    assert device.peak_gflops is None or device.peak_gflops > 1
    assert device.bandwidth_gbs is None or device.bandwidth_gbs > 1
