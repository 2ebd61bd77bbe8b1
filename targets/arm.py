"""Raspberry Pis.

Sources: Raspberry Pi documentation (processors BCM2836, BCM2837, BCM2711, BCM2712) and Arm's
software optimization guides for multiply-adds a cycle (128-bit: one a cycle on Cortex-A53 and A72,
two on A76). Up to the A72 the cores of a cluster share the second cache; an A76 has its own. Loads
are taken to be as many, which none of the cores was measured for. Bandwidths are of the memory
chips, which the processors do not reach.
"""

from __future__ import annotations

from dataclasses import replace

from .core import Arithmetic, MultiplyAdd
from .costs import AVX2, Costs
from .device import KIB, MIB, Cpu
from .element import FLOAT16, FLOAT32, INT8, INT16

# No figure was measured on one of these cores. What is not said here is taken over from x86, one
# entry a core, so that what is found for a core changes that core alone.
#
# Registers and loads were chosen by counting instructions, and the cycles of LLVM's models of the
# cores (llvm-mca 19; of a Cortex-A55 for the A53), for MobileNet V2 and V3, ShuffleNet V2 and
# SqueezeNet. A core that issues in order waits for each load that is not ahead of its use, which
# takes a register: with none to spare LLVM puts sums on the stack.
#
# So were the costs of Winograd's transforms, for ResNet-50 and SqueezeNet; what was counted needs
# no margin. Tiles of 2x2 add up fewer terms a point; in those of 5x5 one has no pair to share its
# terms with; with steps of two half the values are only copied. With eight tiles between them LLVM
# keeps the two halves of a transform apart, and their products are in the first cache. Strassen's
# were chosen for ResNet-50 and MobileNet V2; a core that issues in order waits for its loads.
_COUNTED = replace(
    AVX2,
    transform=12,
    winograd_margin=1,
    winograd_transforms=((1, 2, 2 / 3), (1, 4, 1), (1, 5, 1.25), (2, 2, 1 / 4), (2, 4, 0.3)),
    winograd_apart=8,
    strassen_transform=2.5,
)
# LLVM has no addresses with a distance for its vectors, and 14 registers for addresses: rows of
# taps are a loop.
CORTEX_A7 = replace(_COUNTED, spared_registers=2, unrolled_taps=8)
CORTEX_A53 = replace(_COUNTED, spared_registers=8, paired_pixels=3, strassen_transform=8)
# An LD1 of four registers is one instruction where pairs are two. What the second cache delivers
# was not measured: half of what the first one does is assumed.
CORTEX_A72 = replace(_COUNTED, issues=True, vectors_of_a_load=4, second_cache_vectors=1 / 2)
CORTEX_A76 = replace(_COUNTED, issues=True, vectors_of_a_load=4, second_cache_vectors=1 / 2)
# What a load takes of the time of multiply-adds that do not wait for it.
_IN_ORDER, _OUT_OF_ORDER = 0.5, 0.2

_FMLA = MultiplyAdd("fmla", 4, by_lane=True)
# smull and smlal multiply pairs to sums of 16 bits, sadalp adds these to sums of 32.
_PAIRS = MultiplyAdd("smlal", 4, 4, scratch=5, by_lane=True, paired=2)
_PAIRS_IN_ORDER = replace(_PAIRS, scratch=16)
_PAIRS_OF_32_BITS = replace(_PAIRS, name="vmlal", scratch=8)
_INSTRUCTIONS_OF_PAIRS = 3
# Codes as Winograd's transforms leave them: smlal and smlal2 multiply a vector of
# weights. A lane of 16 bits is one of the first sixteen registers (SMLAL by element).
_WORDS = MultiplyAdd("smlal", 8, by_lane=True, lane_rows=8, registers=2)
_DOT_PRODUCT = MultiplyAdd("sdot", 4, 4, by_lane=True)  # ARMv8.2-DotProd
# ARMv8.2-FP16. Its sums have 11 bits: of 64 products of like size the rounding errors are, as
# random, four times what rounding the result is (Higham and Mary, "A New Approach to Probabilistic
# Rounding Error Analysis", 2019). What widens as it adds, fmlal, is ARMv8.4's.
# A lane of halves is one of the first sixteen registers (FMLA by element): with eight rows LLVM
# spills.
HALF = MultiplyAdd("fmla", 8, longest=64, by_lane=True, lane_rows=7)


def _neon(
    multiply_adds: float,
    load: float,
    codes: MultiplyAdd = _PAIRS,
    numbers: MultiplyAdd = _FMLA,
    half: MultiplyAdd | None = None,
    words: MultiplyAdd | None = None,
) -> tuple[Arithmetic, ...]:
    """Return the arithmetic of 128-bit vectors, with so many multiply-adds a cycle."""
    rate = multiply_adds, multiply_adds
    return (
        Arithmetic(FLOAT32, numbers, *rate, load),
        Arithmetic(INT8, codes, rate[0] / (_INSTRUCTIONS_OF_PAIRS if codes.paired else 1), rate[1]),
        *([] if words is None else [Arithmetic(INT16, words, rate[0] / 2, rate[1], load / 2)]),
        *([] if half is None else [Arithmetic(FLOAT16, half, *rate)]),
    )


def _pi(
    name: str,
    summary: str,
    cpu: str,
    multiply_adds: float,
    load: float,
    caches: tuple[int, ...],
    costs: Costs,
    clock_ghz: float,
    bandwidth_gbs: float,
    sharing: int = 1,
    codes: MultiplyAdd = _PAIRS,
    half: MultiplyAdd | None = None,
) -> Cpu:
    """Return a 64-bit Raspberry Pi, of four cores."""
    return Cpu(
        name=name,
        summary=summary,
        tvm={
            "kind": "llvm",
            # TVM silently compiles for soft float where a triple has only three parts.
            "mtriple": "aarch64-unknown-linux-gnu",
            "mcpu": cpu,
            "mattr": ["+neon"],
            # Has LLVM put constants of indices into the addresses of instructions: without it each
            # pixel of a depthwise tile takes two or three instructions for its own address.
            # The other has LLVM not hasten loads in a loop whose sums wait for each other: it takes
            # registers for what a core out of order does by itself.
            "cl-opt": [
                "-aarch64-enable-gep-opt:bool=true",
                *(["-misched-cyclicpath:bool=false"] if costs.issues else []),
            ],
            "num-cores": 4,
        },
        machine="aarch64",
        cores=4,
        arithmetic=_neon(
            multiply_adds, load, codes, half=half, words=_WORDS if codes.paired else None
        ),
        vector_registers=32,
        extremes_of_nan=True,
        estimates_reciprocals=True,
        caches=caches,
        sharing=sharing,
        costs=costs,
        clock_ghz=clock_ghz,
        bandwidth_gbs=bandwidth_gbs,
        emulated_cpu=cpu,
    )


RPI2 = Cpu(
    name="rpi2",
    summary="Raspberry Pi 2, four Cortex-A7 at 0.9 GHz, 32-bit with hard float",
    tvm={
        "kind": "llvm",
        "mtriple": "armv7l-unknown-linux-gnueabihf",
        "mcpu": "cortex-a7",
        # LLVM takes VFMA for slow on this core. As many are done in a second as VMUL or VADD alone
        # (VFP Benchmark, wlog.flatlib.jp/2014/2/14, of an MT8389; Arm's manuals have no table): one
        # does what takes two without it. The same is said of a sum that goes on to the next VFMA;
        # GCC's model of the core (cortex-a7.md, by Arm) has forwarding there instead of a hazard.
        # LLVM's scheduler of machine code minds registers, which that of the graph does not; and
        # what it unrolls of its own, beyond what the rules ask for, takes too many of them.
        "mattr": ["+neon", "+vfp4", "-slowfpvfmx", "-vmlx-hazards", "+use-misched"],
        "cl-opt": ["-unroll-threshold-aggressive:uint=60"],
        "mfloat-abi": "hard",
        "num-cores": 4,
    },
    machine="armv7l",
    cores=4,
    # 32 bits a cycle, by the same benchmark. VFMA takes no lane; VMLA does, which LLVM emits only
    # where it may not fuse products with sums, and TVM always lets it.
    arithmetic=_neon(0.25, _IN_ORDER, codes=_PAIRS_OF_32_BITS, numbers=MultiplyAdd("vfma", 4)),
    vector_registers=16,
    extremes_of_nan=True,
    estimates_reciprocals=True,
    caches=(32 * KIB, 512 * KIB),
    sharing=4,
    costs=CORTEX_A7,
    clock_ghz=0.9,
    bandwidth_gbs=3.6,
    emulated_cpu="cortex-a7",
)
RPI3 = _pi(
    "rpi3",
    "Raspberry Pi 3, four Cortex-A53 at 1.2 GHz",
    "cortex-a53",
    multiply_adds=1,
    load=_IN_ORDER,
    codes=_PAIRS_IN_ORDER,
    caches=(32 * KIB, 512 * KIB),
    sharing=4,
    costs=CORTEX_A53,
    clock_ghz=1.2,
    bandwidth_gbs=3.6,
)
RPI4 = _pi(
    "rpi4",
    "Raspberry Pi 4, four Cortex-A72 at 1.5 GHz",
    "cortex-a72",
    multiply_adds=1,
    load=_OUT_OF_ORDER,
    caches=(32 * KIB, 1 * MIB),
    sharing=4,
    costs=CORTEX_A72,
    clock_ghz=1.5,
    bandwidth_gbs=12.8,
)
RPI5 = _pi(
    "rpi5",
    "Raspberry Pi 5, four Cortex-A76 at 2.4 GHz",
    "cortex-a76",
    multiply_adds=2,
    load=_OUT_OF_ORDER,
    codes=_DOT_PRODUCT,
    half=HALF,
    caches=(64 * KIB, 512 * KIB, 2 * MIB),
    costs=CORTEX_A76,
    clock_ghz=2.4,
    bandwidth_gbs=17.1,
)
