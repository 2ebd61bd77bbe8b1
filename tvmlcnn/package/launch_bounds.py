"""How many blocks of a kernel a multiprocessor is to hold, for which ptxas leaves registers free.

CUDA C++ programming guide, "Launch bounds": the second argument, after the threads of a block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

_BOUNDS = re.compile(r"__launch_bounds__\((\d+)(?:, (\d+))?\) (\w+)\(")


def with_resident(source: str, blocks: Mapping[str, int]) -> str:
    """Return CUDA C++ that says it of kernels by their names; what says it already keeps it."""
    return _with(source, lambda name, said: said or blocks.get(name))


def with_fewer_resident(source: str, kernels: Collection[str]) -> str:
    """Return CUDA C++ that says one block less of these kernels, and one where it said none."""
    return _with(source, lambda name, said: max(1, (said or 0) - 1) if name in kernels else said)


def _with(source: str, wanted: Callable[[str, int | None], int | None]) -> str:
    """Return CUDA C++ that says of each kernel what is wanted, by its name and what it says."""

    def bounds(found: re.Match[str]) -> str:
        threads, said, name = found.groups()
        blocks = wanted(name, int(said) if said else None)
        return found[0] if blocks is None else f"__launch_bounds__({threads}, {blocks}) {name}("

    return _BOUNDS.sub(bounds, source)
