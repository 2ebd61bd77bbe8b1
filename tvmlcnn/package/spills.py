"""Kernels for GPUs whose registers do not hold what they need, and more registers for them.

ptxas gives a kernel so few registers that one more block fits on a multiprocessor, even where some
of its values are then moved to memory and back. It does not where the code says how many blocks are
wanted (CUDA C++ programming guide, "Launch bounds").
"""

from __future__ import annotations

import re
from collections.abc import Collection

from .launch_bounds import with_resident

_KERNEL = re.compile(r"Compiling entry function '([^']+)'")
_SPILLS = re.compile(r"([1-9]\d*) bytes spill (?:stores|loads)")


def spilling(said: str) -> set[str]:
    """Return the kernels that spill, by what ``ptxas -v`` says."""
    _, *rest = _KERNEL.split(said)
    kernels, texts = rest[::2], rest[1::2]
    return {name for name, text in zip(kernels, texts, strict=True) if _SPILLS.search(text)}


def with_more_registers(source: str, kernels: Collection[str]) -> str:
    """Return CUDA C++ in which one block of these kernels on a multiprocessor is enough.

    Not of those whose schedules want more of them there.
    """
    return with_resident(source, dict.fromkeys(kernels, 1))
