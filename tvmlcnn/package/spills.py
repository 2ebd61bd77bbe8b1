"""Kernels for GPUs whose registers do not hold what they need, and more registers for them.

ptxas gives a kernel so few registers that one more block fits on a multiprocessor, even where some
of its values are then moved to memory and back. It does not where the code says how many blocks are
wanted (CUDA C++ programming guide, "Launch bounds").
"""

from __future__ import annotations

import re
from collections.abc import Collection

_KERNEL = re.compile(r"Compiling entry function '([^']+)'")
_SPILLS = re.compile(r"([1-9]\d*) bytes spill (?:stores|loads)")
_BOUNDS = re.compile(r"__launch_bounds__\((\d+)\) (\w+)\(")


def spilling(said: str) -> set[str]:
    """Return the kernels that spill, by what ``ptxas -v`` says."""
    _, *rest = _KERNEL.split(said)
    kernels, texts = rest[::2], rest[1::2]
    return {name for name, text in zip(kernels, texts, strict=True) if _SPILLS.search(text)}


def with_more_registers(source: str, kernels: Collection[str]) -> str:
    """Return CUDA C++ in which one block of these kernels on a multiprocessor is enough."""

    def bounds(found: re.Match[str]) -> str:
        threads, name = found.groups()
        return found[0] if name not in kernels else f"__launch_bounds__({threads}, 1) {name}("

    return _BOUNDS.sub(bounds, source)
