"""NVIDIA's Jetson modules, whose GPU shares the memory with the CPU.

Sources: the modules' data sheets for cores, the GPU's greatest clock and bandwidth (Orin Nano:
8 GB, 15 W; Orin NX: 16 GB; AGX Orin: 64 GB; Xavier NX: 8 GB). Second-level caches of GPUs are not
in them: 256 KiB (Nano), 512 KiB (Xavier NX) and 2 MiB (Orin Nano, Orin NX) are what CUDA's
``deviceQuery`` is reported to print, 4 MiB is from the technical brief of AGX Orin. What a compute
capability decides is in `targets.cuda_capabilities`.
"""

from __future__ import annotations

from .cuda_capabilities import gpu
from .device import KIB, MIB
from .gpu import Gpu


def _module(
    name: str,
    title: str,
    capability: int,
    *,
    cpu: str,
    cores: int,
    multiprocessors: int,
    l2_bytes: int,
    clock_ghz: float,
    bandwidth_gbs: float,
) -> Gpu:
    return gpu(
        name,
        f"NVIDIA {title}, compute capability {capability / 10}",
        capability,
        {"kind": "llvm", "mtriple": "aarch64-unknown-linux-gnu", "mcpu": cpu},
        machine="aarch64",
        cores=cores,
        multiprocessors=multiprocessors,
        l2_bytes=l2_bytes,
        clock_ghz=clock_ghz,
        bandwidth_gbs=bandwidth_gbs,
    )


JETSON_NANO = _module(
    "jetson-nano",
    "Jetson Nano",
    53,
    cpu="cortex-a57",
    cores=4,
    multiprocessors=1,
    clock_ghz=0.9216,
    l2_bytes=256 * KIB,
    bandwidth_gbs=25.6,
)
JETSON_XAVIER_NX = _module(
    "jetson-xavier-nx",
    "Jetson Xavier NX",
    72,
    cpu="carmel",
    cores=6,
    multiprocessors=6,
    clock_ghz=1.1,
    l2_bytes=512 * KIB,
    bandwidth_gbs=59.7,
)
JETSON_ORIN_NANO = _module(
    "jetson-orin-nano",
    "Jetson Orin Nano",
    87,
    cpu="cortex-a78",
    cores=6,
    multiprocessors=8,
    clock_ghz=0.625,
    l2_bytes=2 * MIB,
    bandwidth_gbs=68.0,
)
JETSON_ORIN_NX = _module(
    "jetson-orin-nx",
    "Jetson Orin NX",
    87,
    cpu="cortex-a78",
    cores=8,
    multiprocessors=8,
    clock_ghz=0.918,
    l2_bytes=2 * MIB,
    bandwidth_gbs=102.4,
)
JETSON_AGX_ORIN = _module(
    "jetson-agx-orin",
    "Jetson AGX Orin",
    87,
    cpu="cortex-a78",
    cores=12,
    multiprocessors=16,
    clock_ghz=1.3,
    l2_bytes=4 * MIB,
    bandwidth_gbs=204.8,
)
