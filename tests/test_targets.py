"""What a target is taken for: TVM's own description, and the figures of each device."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tvmlcnn.targets import DEVICES, ELEMENT_TYPES, FLOAT32, Cpu, ElementType, Gpu, resolve

CPUS = {name: device for name, device in DEVICES.items() if isinstance(device, Cpu)}
GPUS = {name: device for name, device in DEVICES.items() if isinstance(device, Gpu)}
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


@pytest.mark.parametrize("name", GPUS)
def test_the_limits_of_a_gpu(name: str) -> None:
    """A block fits a multiprocessor, and TVM is told of the limits that the rules keep."""
    gpu = GPUS[name]
    assert gpu.tvm["arch"] == gpu.gpu_code[0] == f"sm_{gpu.capability}"
    assert gpu.tvm["max_shared_memory_per_block"] == gpu.shared_bytes == 48 * 1024
    assert gpu.tvm["registers_per_block"] == gpu.registers_of_block <= gpu.registers
    assert gpu.shared_bytes <= gpu.shared_opt_in_bytes <= gpu.shared_of_multiprocessor
    assert gpu.tvm["max_threads_per_block"] == gpu.threads_of_block <= gpu.threads_of_multiprocessor
    assert gpu.lanes_of_multiprocessor in {64, 128}
    cores = gpu.tensor_cores
    assert (cores is None) == (gpu.capability < 70)
    if cores is not None:
        # More than the other units do: halves by pairs, bytes by fours.
        assert cores.float16 >= 2 * gpu.lanes_of_multiprocessor
        assert cores.int8 == 2 * cores.float16
        assert (cores.tf32 > 0) == (gpu.capability >= 80)


@pytest.mark.parametrize(
    ("name", "gflops"),
    [
        # NVIDIA's data sheets: float32 without tensor cores.
        *[("jetson-nano", 236), ("jetson-orin-nano", 1280), ("jetson-agx-orin", 5325)],
        *[("t4", 8100), ("a100", 19500), ("a10", 31200), ("l4", 30300), ("h100", 66900)],
    ],
)
def test_the_peak_of_a_gpu(name: str, gflops: float) -> None:
    assert GPUS[name].peak_gflops == pytest.approx(gflops, rel=0.01)


def test_a_gpu_that_tvm_describes() -> None:
    """What the capability decides is known; how large the GPU is, is taken for little."""
    gpu = resolve({"kind": "cuda", "arch": "sm_90a", "host": resolve("x86").tvm})
    assert isinstance(gpu, Gpu)
    assert (gpu.capability, gpu.gpu_code) == (90, ("sm_90a",))
    assert gpu.shared_opt_in_bytes == GPUS["h100"].shared_opt_in_bytes
    assert gpu.multiprocessors == GPUS["cuda"].multiprocessors
    assert gpu.peak_gflops is None


def test_a_capability_that_is_not_listed() -> None:
    """It is taken for the one before it."""
    gpu = resolve({"kind": "cuda", "arch": "sm_88", "host": resolve("x86").tvm})
    assert isinstance(gpu, Gpu)
    assert gpu.shared_opt_in_bytes == GPUS["jetson-orin-nano"].shared_opt_in_bytes


def test_cores_that_compute_share_the_second_cache() -> None:
    four, one = (DEVICES["rpi4"].with_cores(n).core(FLOAT32) for n in (4, 1))
    assert one.second_cache == one.whole_second_cache == four.whole_second_cache == 1 << 20
    assert four.second_cache == 1 << 18
    own = DEVICES["rpi5"].core(FLOAT32)
    assert own.second_cache == own.whole_second_cache == 512 << 10
