"""What GPUs of one compute capability have in common.

Sources: threads, registers and shared memory are those of the CUDA C++ programming guide
("Technical specifications per compute capability").
Rates of tensor cores are computed from NVIDIA's data sheets and architecture papers: operations a
second without sparsity, over two, over multiprocessors, over the clock. Those used are 22.6 TOPS
int8 at 1.377 GHz on 8 multiprocessors (Jetson AGX Xavier), 65 TFLOPS and 130 TOPS at 1.59 GHz on 40
(T4), 312 and 156 TFLOPS, 624 TOPS at 1.41 GHz on 108 (A100), 125 and 62.5 TFLOPS, 250 TOPS at
1.695 GHz on 72 (A10), 85 TOPS at 1.3 GHz on 16 (Jetson AGX Orin; float16 is half of that, TF32 a
half again, as on A100), 121 and 60 TFLOPS, 242 TOPS at 2.04 GHz on 58 (L4), 989 and 495 TFLOPS,
1979 TOPS at 1.83 GHz on 132 (H100 SXM), and 209.5 and 104.8 TFLOPS, 838 TOPS at 2.407 GHz on 170
(GeForce RTX 5090). For 10.0 the rates of 9.0 stand: the warp's mma instruction does no less there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvmlcnn.runtime.nvidia import float32_lanes

from .device import KIB
from .gpu import STATIC_SHARED_BYTES, Gpu, TensorCores


@dataclass(frozen=True)
class Capability:
    """The figures of `targets.gpu.Gpu` that the compute capability decides."""

    shared_kib: int
    shared_opt_in_kib: int
    threads: int
    tensor_cores: TensorCores | None = None
    registers_of_block: int = 65536


CAPABILITIES: dict[int, Capability] = {
    50: Capability(64, 48, 2048),
    53: Capability(64, 48, 2048, registers_of_block=32768),
    60: Capability(64, 48, 2048),
    61: Capability(96, 48, 2048),
    62: Capability(64, 48, 2048, registers_of_block=32768),
    70: Capability(96, 96, 2048, TensorCores(512)),
    72: Capability(96, 96, 2048, TensorCores(512, 1024)),
    75: Capability(64, 64, 1024, TensorCores(512, 1024)),
    80: Capability(164, 163, 2048, TensorCores(1024, 2048, 512)),
    86: Capability(100, 99, 1536, TensorCores(512, 1024, 256)),
    87: Capability(164, 163, 1536, TensorCores(1024, 2048, 512)),
    89: Capability(100, 99, 1536, TensorCores(512, 1024, 256)),
    90: Capability(228, 227, 2048, TensorCores(2048, 4096, 1024)),
    100: Capability(228, 227, 2048, TensorCores(2048, 4096, 1024)),
    120: Capability(100, 99, 1536, TensorCores(256, 1024, 128)),
}
"""By the capability times ten. One that is not here is taken as the next below."""


def gpu(
    name: str,
    summary: str,
    capability: int,
    host: Mapping[str, object],
    *,
    machine: str,
    cores: int,
    multiprocessors: int,
    l2_bytes: int,
    clock_ghz: float | None = None,
    bandwidth_gbs: float | None = None,
) -> Gpu:
    """Return a GPU with the figures of its compute capability.

    Parameters
    ----------
    name, summary : str
    capability : int
        Times ten.
    host : mapping
        TVM's description of the CPU beside it.
    machine, cores, multiprocessors, l2_bytes, clock_ghz, bandwidth_gbs
        As in `Gpu`.
    """
    arch = f"sm_{capability}"
    known = max((each for each in CAPABILITIES if each <= capability), default=min(CAPABILITIES))
    of = CAPABILITIES[known]
    return Gpu(
        name=name,
        summary=summary,
        tvm={
            "kind": "cuda",
            "arch": arch,
            "max_threads_per_block": 1024,
            "max_shared_memory_per_block": STATIC_SHARED_BYTES,
            "thread_warp_size": 32,
            "registers_per_block": of.registers_of_block,
            "host": dict(host),
        },
        machine=machine,
        cores=cores,
        gpu_code=(arch,),
        capability=capability,
        multiprocessors=multiprocessors,
        clock_ghz=clock_ghz,
        lanes_of_multiprocessor=float32_lanes(capability),
        shared_opt_in_bytes=of.shared_opt_in_kib * KIB,
        shared_of_multiprocessor=of.shared_kib * KIB,
        registers_of_block=of.registers_of_block,
        threads_of_multiprocessor=of.threads,
        l2_bytes=l2_bytes,
        bandwidth_gbs=bandwidth_gbs,
        tensor_cores=of.tensor_cores,
    )
