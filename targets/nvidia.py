"""NVIDIA GPUs and boards.

Source of the Orin figures: NVIDIA Jetson Orin Nano 8 GB data sheet (1024 CUDA cores at 625 MHz,
68 GB/s, six Cortex-A78AE); of the limits: CUDA C++ programming guide, compute capabilities.
"""

from __future__ import annotations

from .device import KIB, Gpu


def _cuda(arch: str, host: dict[str, object], shared: int) -> dict[str, object]:
    """Return TVM's target of a GPU of compute capability ``arch``."""
    return {
        "kind": "cuda",
        "arch": arch,
        "max_threads_per_block": 1024,
        "max_shared_memory_per_block": shared,
        "thread_warp_size": 32,
        "registers_per_block": 65536,
        "host": host,
    }


CUDA = Gpu(
    name="cuda",
    summary="any NVIDIA GPU from compute capability 7.5, in a PC",
    tvm=_cuda(
        "sm_75",
        {"kind": "llvm", "mtriple": "x86_64-unknown-linux-gnu", "mcpu": "haswell"},
        48 * KIB,
    ),
    machine="x86_64",
    cores=4,
    gpu_code=("sm_75", "compute_75"),
)
JETSON_ORIN_NANO = Gpu(
    name="jetson-orin-nano",
    summary="NVIDIA Jetson Orin Nano, compute capability 8.7",
    tvm=_cuda(
        "sm_87",
        {"kind": "llvm", "mtriple": "aarch64-unknown-linux-gnu", "mcpu": "cortex-a78"},
        48 * KIB,
    ),
    machine="aarch64",
    cores=6,
    nominal_gflops=1280.0,
    bandwidth_gbs=68.0,
    gpu_code=("sm_87",),
)
