"""How many blocks of a kernel a multiprocessor is to hold, for which ptxas leaves registers free.

CUDA C++ programming guide, "Launch bounds": the second argument, after the threads of a block.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_BOUNDS = re.compile(r"__launch_bounds__\((\d+)(?:, (\d+))?\) (\w+)\(")


def with_resident(source: str, blocks: Mapping[str, int]) -> str:
    """Return CUDA C++ that says it of kernels by their names; what says it already keeps it."""

    def bounds(found: re.Match[str]) -> str:
        threads, said, name = found.groups()
        if said or name not in blocks:
            return found[0]
        return f"__launch_bounds__({threads}, {blocks[name]}) {name}("

    return _BOUNDS.sub(bounds, source)


def with_fewer_resident(source: str, kernels: Collection[str]) -> str:
    """Return CUDA C++ that says one block less of these kernels, and one where it said none."""

    def bounds(found: re.Match[str]) -> str:
        threads, said, name = found.groups()
        if name not in kernels:
            return found[0]
        fewer = max(1, int(said) - 1) if said else 1
        return f"__launch_bounds__({threads}, {fewer}) {name}("

    return _BOUNDS.sub(bounds, source)
