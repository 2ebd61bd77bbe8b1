"""ARM boards, phones and servers besides the Raspberry Pi, each by the Pi of the nearest core.

Sources: Raspberry Pi's documentation (Zero 2 W: RP3A0 at 1 GHz, 512 MB of LPDDR2); Rockchip's
RK3588 data sheet and the Orange Pi 5 (four A76 at 2.4 GHz beside four A55, 3 MiB of third cache, 64
bits of LPDDR4X-4224); Arm's technical reference manuals of Cortex-A55, A76 and Neoverse V1, and the
software optimization guide of V1 (four multiply-adds of 128 bits a cycle, three loads of them);
AWS's description of c7g (a core a vCPU, 2.6 GHz, eight channels of DDR5-4800 for 64 cores).
"""

from __future__ import annotations

from dataclasses import replace

from .arm import RPI3, RPI5
from .device import KIB, MIB

RPI_ZERO2 = replace(
    RPI3,
    name="rpi-zero2",
    summary="Raspberry Pi Zero 2 W, four Cortex-A53 at 1 GHz",
    clock_ghz=1.0,
)
ORANGEPI5 = replace(
    RPI5,
    name="orangepi5",
    summary="Orange Pi 5 (RK3588), its four Cortex-A76 at 2.4 GHz",
    # The runtime's threads stay on the fastest kind of CPUs.
    caches=(64 * KIB, 512 * KIB, 3 * MIB),
    bandwidth_gbs=33.8,
)
ANDROID_ARM64 = replace(
    RPI5,
    name="android-arm64",
    summary="phones of ARMv8.2 with dot products, Android 5 or later",
    # What an A55 has, all later cores have too; code ordered for one that runs in order suits them.
    # Android keeps a register for itself.
    tvm=RPI5.tvm | {"mcpu": "cortex-a55", "mattr": ["+neon", "+reserve-x18"]},
    # Least of those that phones have.
    arithmetic=tuple(replace(each, multiply_adds=1, loads=1) for each in RPI5.arithmetic),
    caches=(32 * KIB, 128 * KIB),
    clock_ghz=None,
    bandwidth_gbs=None,
)
GRAVITON3 = replace(
    RPI5,
    name="aws-graviton3",
    summary="AWS Graviton3, four Neoverse V1 at 2.6 GHz (c7g.xlarge)",
    # As many sums a cycle as with SVE's two units of 256 bits, and with factors from lanes: kernels
    # are of vectors of 128 bits. docs/measuring.md has what SVE was counted to give.
    tvm=RPI5.tvm | {"mcpu": "neoverse-v1"},
    arithmetic=tuple(replace(each, multiply_adds=4, loads=3) for each in RPI5.arithmetic),
    caches=(64 * KIB, 1 * MIB, 32 * MIB),
    clock_ghz=2.6,
    bandwidth_gbs=19.2,  # a sixteenth of the processor's
    emulated_cpu="max",
)
