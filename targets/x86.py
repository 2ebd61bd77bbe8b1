"""PCs: the AVX2 baseline, and the machine at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tvmlcnn.runtime.machine import cache_bytes, cpu_features, machine, physical_cores

from .arm import HALF, RPI4
from .core import Arithmetic, MultiplyAdd
from .costs import AVX2
from .device import KIB, MIB, Cpu
from .element import BFLOAT16, FLOAT16, FLOAT32, UINT8

# Pairs of products of 16 bits, which are then added to the sums: three instructions a cycle on
# Intel from Haswell and AMD from Zen 2 (uops.info).
_PAIRS = MultiplyAdd("vpmaddwd", 8, 2, widened="int16", scratch=1)
# Pairs of products of bytes, which saturate at 16 bits unless weights have seven; pairs of those
# are added by VPMADDWD with ones: another three instructions.
_QUADS = MultiplyAdd("vpmaddubsw", 8, 4, scratch=2, largest=64)


def _codes(lanes: int, rate: float) -> Arithmetic:
    """Return the arithmetic of codes without dot products; that many pairs are added a cycle."""
    small = Arithmetic(UINT8, replace(_QUADS, lanes=lanes), rate * 2 / 3, 2)
    return Arithmetic(UINT8, replace(_PAIRS, lanes=lanes), rate, 2, of_small=small)


def _fma(lanes: int, *others: Arithmetic) -> tuple[Arithmetic, ...]:
    """Return the arithmetic of vectors of so many float32, and that of other types.

    Two multiply-adds and two loads a cycle: Intel from Haswell, AMD from Zen 2 (uops.info).
    """
    return (Arithmetic(FLOAT32, MultiplyAdd("vfmadd231ps", lanes), 2, 2), *others)


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
    arithmetic=_fma(8, _codes(8, 1.5)),
    vector_registers=16,
    caches=(32 * KIB, 256 * KIB, 8 * MIB),
    costs=AVX2,
)


# AVX512_BF16: as many a cycle as multiply-adds of float32, each of two products, on AMD from Zen 4.
# Cores with AMX begin one every two cycles, as measured on Granite Rapids: half the products
# of float32's multiply-adds, which multiply what is widened there.
_PAIRS_OF_BFLOAT16, _WIDENED = MultiplyAdd("vdpbf16ps", 16, 2), MultiplyAdd("vfmadd231ps", 16)
# AVX512_FP16: two a cycle on Intel's Granite Rapids, as measured. So many products are added up for
# the reason that is said of ARM's.
_HALF = replace(HALF, name="vfmadd231ph", lanes=32, by_lane=False)


def with_wide_vectors(device: Cpu, vnni: bool, sixteen: Iterable[Arithmetic] = ()) -> Cpu:
    """Return a device with the vector registers of AVX-512, and its dot products of bytes.

    Parameters
    ----------
    device : Cpu
    vnni : bool
        Whether it has AVX512_VNNI.
    sixteen : iterable of Arithmetic
        From `sixteen_bits`.
    """
    codes = _codes(16, 1)
    if vnni:
        # Two a cycle on Intel's servers from Ice Lake and AMD from Zen 5 (uops.info).
        codes = Arithmetic(UINT8, MultiplyAdd("vpdpbusd", 16, 4), 2, 2)
    return replace(device, arithmetic=_fma(16, codes, *sixteen), vector_registers=32)


def sixteen_bits(bf16: bool, fp16: bool, amx: bool) -> list[Arithmetic]:
    """Return the arithmetic of sixteen bits of processors with AVX512_BF16 and AVX512_FP16."""
    found = []
    if bf16:
        found.append(Arithmetic(BFLOAT16, _WIDENED if amx else _PAIRS_OF_BFLOAT16, 2, 2))
    if fp16:
        found.append(Arithmetic(FLOAT16, _HALF, 2, 2))
    return found


def native() -> Cpu:
    """Return the machine at hand, as its kernel and LLVM describe it."""
    import tvm

    cpu = str(tvm.get_global_func("target.llvm_get_system_cpu")())
    here = machine()
    features = cpu_features()
    base = X86 if here == "x86_64" else RPI4
    bf16, fp16 = "avx512_bf16" in features, "avx512_fp16" in features
    if here == "x86_64" and "avx512f" in features:
        sixteen = sixteen_bits(bf16, fp16, "amx_bf16" in features)
        base = with_wide_vectors(base, "avx512_vnni" in features, sixteen)
    # A virtual machine may have the number of another model than its features are of.
    extra = [f"+{name}" for name, there in (("avx512bf16", bf16), ("avx512fp16", fp16)) if there]
    cores = physical_cores()
    triple = {"x86_64": "x86_64", "aarch64": "aarch64"}[here] + "-unknown-linux-gnu"
    return replace(
        base,
        name="native",
        summary=f"this machine: {cpu}, {cores} cores",
        tvm={"kind": "llvm", "mtriple": triple, "mcpu": cpu, "num-cores": cores}
        | ({"mattr": extra} if extra else {}),
        machine=here,
        cores=cores,
        caches=cache_bytes() or base.caches,
        clock_ghz=None,
        bandwidth_gbs=None,
        emulated_cpu=None,
    )
