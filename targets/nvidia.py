"""NVIDIA GPUs in a PC, and any of them.

A card stands for its compute capability. Sources: the data sheets of NVIDIA T4, A100 40 GB (SXM),
A10, L4 and H100 (SXM) for bandwidth, and for the peak in float32 that multiprocessors and boost
clock are checked against; the papers on the architectures Turing, GA100, GA102, Ada and H100 for
multiprocessors, clocks and second-level caches. What a capability decides is in
`targets.cuda_capabilities`.
"""

from __future__ import annotations

from dataclasses import replace

from .cuda_capabilities import gpu
from .device import MIB
from .gpu import Gpu, TensorCores

_PC = {"kind": "llvm", "mtriple": "x86_64-unknown-linux-gnu", "mcpu": "haswell"}


def _card(
    name: str,
    title: str,
    capability: int,
    *,
    multiprocessors: int,
    l2_bytes: int,
    clock_ghz: float,
    bandwidth_gbs: float,
) -> Gpu:
    summary = f"NVIDIA {title}, compute capability {capability / 10}, in a PC"
    return gpu(
        name,
        summary,
        capability,
        _PC,
        machine="x86_64",
        cores=4,
        multiprocessors=multiprocessors,
        l2_bytes=l2_bytes,
        clock_ghz=clock_ghz,
        bandwidth_gbs=bandwidth_gbs,
    )


T4 = _card(
    "t4",
    "T4",
    75,
    multiprocessors=40,
    clock_ghz=1.59,
    l2_bytes=4 * MIB,
    bandwidth_gbs=320.0,
)
A100 = _card(
    "a100",
    "A100",
    80,
    multiprocessors=108,
    clock_ghz=1.41,
    l2_bytes=40 * MIB,
    bandwidth_gbs=1555.0,
)
A10 = _card(
    "a10",
    "A10",
    86,
    multiprocessors=72,
    clock_ghz=1.695,
    l2_bytes=6 * MIB,
    bandwidth_gbs=600.0,
)
L4 = _card(
    "l4",
    "L4",
    89,
    multiprocessors=58,
    clock_ghz=2.04,
    l2_bytes=48 * MIB,
    bandwidth_gbs=300.0,
)
H100 = _card(
    "h100",
    "H100",
    90,
    multiprocessors=132,
    clock_ghz=1.98,  # tensor cores: 1.83
    l2_bytes=50 * MIB,
    bandwidth_gbs=3350.0,
)

# The least of the cards from 7.5 on, GeForce GTX 1650: 14 multiprocessors, 1 MiB. In place of
# tensor cores it has 16-bit units at twice the rate of float32 (its dp4a: four times).
CUDA = replace(
    gpu("cuda", "", 75, _PC, machine="x86_64", cores=4, multiprocessors=14, l2_bytes=1 * MIB),
    summary="any NVIDIA GPU from compute capability 7.5, in a PC",
    gpu_code=("sm_75", "compute_75"),
    tensor_cores=TensorCores(float16=128, int8=256),
)
