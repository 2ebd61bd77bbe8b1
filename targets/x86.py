"""PCs: the AVX2 baseline, and the machine at hand."""

from __future__ import annotations

from dataclasses import replace

from tvmlcnn.runtime.machine import cache_bytes, cpu_features, machine, physical_cores

from .arm import RPI4
from .core import Arithmetic, MultiplyAdd
from .costs import AVX2
from .device import KIB, MIB, Cpu
from .element import FLOAT32


def _fma(lanes: int) -> tuple[Arithmetic, ...]:
    """Return the arithmetic of vectors of so many float32.

    Two multiply-adds and two loads a cycle: Intel from Haswell, AMD from Zen 2 (uops.info).
    """
    return (Arithmetic(FLOAT32, MultiplyAdd("vfmadd231ps", lanes), 2, 2),)


X86 = Cpu(
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
    arithmetic=_fma(8),
    vector_registers=16,
    caches=(32 * KIB, 256 * KIB, 8 * MIB),
    costs=AVX2,
)


def with_wide_vectors(device: Cpu) -> Cpu:
    """Return a device with the vector registers of AVX-512."""
    return replace(device, arithmetic=_fma(16), vector_registers=32)


def native() -> Cpu:
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
        clock_ghz=None,
        bandwidth_gbs=None,
        emulated_cpu=None,
    )
