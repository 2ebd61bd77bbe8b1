"""Raspberry Pis.

Sources: Raspberry Pi documentation (processors BCM2836, BCM2837, BCM2711, BCM2712) and Arm's
software optimization guides for multiply-adds a cycle (128-bit: one every two cycles on
Cortex-A7, one a cycle on A53 and A72, two on A76). Bandwidths are of the memory chips, which the
processors do not reach.
"""

from __future__ import annotations

from .device import KIB, MIB, Device


def _pi(name: str, summary: str, cpu: str, ghz: float, flops: int, **rest: object) -> Device:
    """Return a 64-bit Raspberry Pi with four cores of ``flops`` float32 operations a cycle."""
    return Device(
        name=name,
        summary=summary,
        # TVM silently compiles for soft float where a triple has only three parts.
        tvm={
            "kind": "llvm",
            "mtriple": "aarch64-unknown-linux-gnu",
            "mcpu": cpu,
            "mattr": ["+neon"],
            "num-cores": 4,
        },
        machine="aarch64",
        cores=4,
        vector_bits=128,
        vector_registers=32,
        peak_gflops=4 * ghz * flops,
        emulated_cpu=cpu,
        **rest,  # type: ignore[arg-type]
    )


RPI2 = Device(
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
    vector_bits=128,
    vector_registers=16,
    caches=(32 * KIB, 512 * KIB),
    peak_gflops=4 * 0.9 * 4,
    bandwidth_gbs=3.6,
    emulated_cpu="cortex-a7",
)
RPI3 = _pi(
    "rpi3",
    "Raspberry Pi 3, four Cortex-A53 at 1.2 GHz",
    "cortex-a53",
    1.2,
    8,
    caches=(32 * KIB, 512 * KIB),
    bandwidth_gbs=3.6,
)
RPI4 = _pi(
    "rpi4",
    "Raspberry Pi 4, four Cortex-A72 at 1.5 GHz",
    "cortex-a72",
    1.5,
    8,
    caches=(32 * KIB, 1 * MIB),
    bandwidth_gbs=12.8,
)
RPI5 = _pi(
    "rpi5",
    "Raspberry Pi 5, four Cortex-A76 at 2.4 GHz",
    "cortex-a76",
    2.4,
    16,
    caches=(64 * KIB, 512 * KIB, 2 * MIB),
    bandwidth_gbs=17.1,
)
