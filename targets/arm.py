"""Raspberry Pis.

Sources: Raspberry Pi documentation (processors BCM2836, BCM2837, BCM2711, BCM2712) and Arm's
software optimization guides for multiply-adds a cycle (128-bit: one every two cycles on
Cortex-A7, one a cycle on A53 and A72, two on A76). Loads are taken to be as many, which none of
the cores was measured for. Bandwidths are of the memory chips, which the processors do not reach.
"""

from __future__ import annotations

from .core import Arithmetic, MultiplyAdd
from .costs import AVX2
from .device import KIB, MIB, Cpu
from .element import FLOAT32

# No figure was measured on one of these cores: they are taken over from x86, one entry a core, so
# that what is found for a core changes that core alone.
CORTEX_A7 = AVX2
CORTEX_A53 = AVX2
CORTEX_A72 = AVX2
CORTEX_A76 = AVX2


def _neon(multiply_adds: float, instruction: str = "fmla") -> tuple[Arithmetic, ...]:
    """Return the arithmetic of 128-bit vectors, with so many multiply-adds a cycle."""
    return (Arithmetic(FLOAT32, MultiplyAdd(instruction, 4), multiply_adds, multiply_adds),)


def _aarch64(cpu: str) -> dict[str, object]:
    """Return TVM's target of a 64-bit Raspberry Pi."""
    return {
        "kind": "llvm",
        # TVM silently compiles for soft float where a triple has only three parts.
        "mtriple": "aarch64-unknown-linux-gnu",
        "mcpu": cpu,
        "mattr": ["+neon"],
        "num-cores": 4,
    }


RPI2 = Cpu(
    name="rpi2",
    summary="Raspberry Pi 2, four Cortex-A7 at 0.9 GHz, 32-bit with hard float",
    tvm={
        "kind": "llvm",
        "mtriple": "armv7l-unknown-linux-gnueabihf",
        "mcpu": "cortex-a7",
        "mattr": ["+neon", "+vfp4"],
        "mfloat-abi": "hard",
        "num-cores": 4,
    },
    machine="armv7l",
    cores=4,
    arithmetic=_neon(0.5, "vmul, vadd"),  # LLVM emits no vfma for this core
    vector_registers=16,
    caches=(32 * KIB, 512 * KIB),
    costs=CORTEX_A7,
    clock_ghz=0.9,
    bandwidth_gbs=3.6,
    emulated_cpu="cortex-a7",
)
RPI3 = Cpu(
    name="rpi3",
    summary="Raspberry Pi 3, four Cortex-A53 at 1.2 GHz",
    tvm=_aarch64("cortex-a53"),
    machine="aarch64",
    cores=4,
    arithmetic=_neon(1),
    vector_registers=32,
    caches=(32 * KIB, 512 * KIB),
    costs=CORTEX_A53,
    clock_ghz=1.2,
    bandwidth_gbs=3.6,
    emulated_cpu="cortex-a53",
)
RPI4 = Cpu(
    name="rpi4",
    summary="Raspberry Pi 4, four Cortex-A72 at 1.5 GHz",
    tvm=_aarch64("cortex-a72"),
    machine="aarch64",
    cores=4,
    arithmetic=_neon(1),
    vector_registers=32,
    caches=(32 * KIB, 1 * MIB),
    costs=CORTEX_A72,
    clock_ghz=1.5,
    bandwidth_gbs=12.8,
    emulated_cpu="cortex-a72",
)
RPI5 = Cpu(
    name="rpi5",
    summary="Raspberry Pi 5, four Cortex-A76 at 2.4 GHz",
    tvm=_aarch64("cortex-a76"),
    machine="aarch64",
    cores=4,
    arithmetic=_neon(2),
    vector_registers=32,
    caches=(64 * KIB, 512 * KIB, 2 * MIB),
    costs=CORTEX_A76,
    clock_ghz=2.4,
    bandwidth_gbs=17.1,
    emulated_cpu="cortex-a76",
)
