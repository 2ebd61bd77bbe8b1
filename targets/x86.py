"""PCs: the AVX2 baseline, and the machine at hand."""

from __future__ import annotations

from dataclasses import replace

from tvmlcnn.runtime.machine import cache_bytes, cpu_features, machine, physical_cores

from .arm import RPI4
from .core import Arithmetic, MultiplyAdd
from .costs import AVX2
from .device import KIB, MIB, Cpu
from .element import FLOAT32, UINT8

# Pairs of products of 16 bits, which are then added to the sums: three instructions a cycle on
# Intel from Haswell and AMD from Zen 2 (uops.info).
_PAIRS = MultiplyAdd("vpmaddwd", 8, 2, widened="int16", scratch=1)


def _fma(lanes: int, codes: Arithmetic) -> tuple[Arithmetic, ...]:
    """Return the arithmetic of vectors of so many float32, and that of codes.

    Two multiply-adds and two loads a cycle: Intel from Haswell, AMD from Zen 2 (uops.info).
    """
    return (Arithmetic(FLOAT32, MultiplyAdd("vfmadd231ps", lanes), 2, 2), codes)


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
    arithmetic=_fma(8, Arithmetic(UINT8, _PAIRS, 1.5, 2)),
    vector_registers=16,
    caches=(32 * KIB, 256 * KIB, 8 * MIB),
    costs=AVX2,
)


def with_wide_vectors(device: Cpu, vnni: bool) -> Cpu:
    """Return a device with the vector registers of AVX-512, and its dot products of bytes."""
    codes = Arithmetic(UINT8, replace(_PAIRS, lanes=16), 1, 2)
    if vnni:
        # Two a cycle on Intel's servers from Ice Lake and AMD from Zen 5 (uops.info).
        codes = Arithmetic(UINT8, MultiplyAdd("vpdpbusd", 16, 4), 2, 2)
    return replace(device, arithmetic=_fma(16, codes), vector_registers=32)


def native() -> Cpu:
    """Return the machine at hand, as its kernel and LLVM describe it."""
    import tvm

    cpu = str(tvm.get_global_func("target.llvm_get_system_cpu")())
    here = machine()
    features = cpu_features()
    base = X86 if here == "x86_64" else RPI4
    if here == "x86_64" and "avx512f" in features:
        base = with_wide_vectors(base, "avx512_vnni" in features)
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
