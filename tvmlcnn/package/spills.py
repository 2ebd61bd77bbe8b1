"""Kernels for GPUs whose registers do not hold what they need, and more registers for them.

ptxas gives a kernel so few registers that one more block fits on a multiprocessor, even where some
of its values are then moved to memory and back. It does not where the code says how many blocks are
wanted (CUDA C++ programming guide, "Launch bounds"); where that is too many, code has to say fewer.
"""

from __future__ import annotations

import re

_KERNEL = re.compile(r"Compiling entry function '([^']+)'")
_SPILLS = re.compile(r"([1-9]\d*) bytes spill (?:stores|loads)")


def spilling(said: str) -> set[str]:
    """Return the kernels that spill, by what ``ptxas -v`` says."""
    _, *rest = _KERNEL.split(said)
    kernels, texts = rest[::2], rest[1::2]
    return {name for name, text in zip(kernels, texts, strict=True) if _SPILLS.search(text)}
