"""PCs: the AVX2 baseline, and the machine at hand."""

from __future__ import annotations

from dataclasses import replace

from tvmlcnn.runtime.machine import cache_bytes, cpu_features, machine, physical_cores

from .arm import RPI4
from .device import KIB, MIB, Device

X86 = Device(
    name="x86",
    summary="any PC with AVX2 and FMA (Intel from Haswell, AMD from Zen)",
    tvm={
        "kind": "llvm",
        "mtriple": "x86_64-unknown-linux-gnu",
        "mcpu": "haswell",
        "num-cores": 4,
    },
    machine="x86_64",
    cores=4,
    vector_bits=256,
    vector_registers=16,
    caches=(32 * KIB, 256 * KIB, 8 * MIB),
)


def with_wide_vectors(device: Device) -> Device:
    """Return a device with the vector registers of AVX-512."""
    return replace(device, vector_bits=512, vector_registers=32)


def native() -> Device:
    """Return the machine at hand, as its kernel and LLVM describe it."""
    import tvm

    cpu = str(tvm.get_global_func("target.llvm_get_system_cpu")())
    here = machine()
    features = cpu_features()
    base = X86 if here == "x86_64" else RPI4
    if here == "x86_64" and "avx512f" in features:
        base = with_wide_vectors(base)
    cores = physical_cores()
    triple = {"x86_64": "x86_64", "aarch64": "aarch64"}[here] + "-unknown-linux-gnu"
    return replace(
        base,
        name="native",
        summary=f"this machine: {cpu}, {cores} cores",
        tvm={"kind": "llvm", "mtriple": triple, "mcpu": cpu, "num-cores": cores},
        machine=here,
        cores=cores,
        caches=cache_bytes() or base.caches,
        peak_gflops=None,
        bandwidth_gbs=None,
        emulated_cpu=None,
    )
