"""How many blocks of a kernel a multiprocessor is to hold, for which ptxas leaves registers free.

CUDA C++ programming guide, "Launch bounds": the second argument, after the threads of a block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_BOUNDS = re.compile(r"__launch_bounds__\((\d+)\) (\w+)\(")


def with_resident(source: str, blocks: Mapping[str, int]) -> str:
    """Return CUDA C++ that says it of kernels by their names; what says it already keeps it."""

    def bounds(found: re.Match[str]) -> str:
        threads, name = found.groups()
        if name not in blocks:
            return found[0]
        return f"__launch_bounds__({threads}, {blocks[name]}) {name}("

    return _BOUNDS.sub(bounds, source)
