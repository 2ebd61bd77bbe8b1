"""Which features of a processor a target's code may use."""

from __future__ import annotations

from typing import Any

import tvm

# LLVM's name: the name that Linux gives it, which the runtime looks for. Only features that
# compiled kernels can contain.
_LINUX = {
    "x86_64": {
        "avx": "avx",
        "avx2": "avx2",
        "fma": "fma",
        "bmi2": "bmi2",
        "f16c": "f16c",
        "avxvnni": "avx_vnni",
        "avx512f": "avx512f",
        "avx512bw": "avx512bw",
        "avx512cd": "avx512cd",
        "avx512dq": "avx512dq",
        "avx512vl": "avx512vl",
        "avx512vnni": "avx512_vnni",
        "avx512bf16": "avx512_bf16",
        "avx512fp16": "avx512_fp16",
        "amx-tile": "amx_tile",
    },
    "aarch64": {
        "neon": "asimd",
        "fullfp16": "asimdhp",
        "dotprod": "asimddp",
        "i8mm": "i8mm",
        "sve": "sve",
    },
    "armv7l": {"neon": "neon", "vfp4": "vfpv4"},
}


def required_features(target: dict[str, Any], machine: str) -> list[str]:
    """Return Linux's names of the features that code for a CPU target may use.

    Parameters
    ----------
    target : dict
        TVM's description of a target of kind llvm.
    machine : str
        ``"x86_64"``, ``"aarch64"`` or ``"armv7l"``.
    """
    enabled = tvm.get_global_func("target.llvm_get_cpu_features")(tvm.target.Target(target))
    return sorted({name for llvm, name in _LINUX[machine].items() if llvm in enabled})
