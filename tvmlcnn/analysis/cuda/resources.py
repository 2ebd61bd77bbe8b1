"""What kernels take of a multiprocessor, as ``ptxas -v`` says."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:, used \d+ barriers)?(?:, .*?(\d+) bytes smem)?")


@dataclass(frozen=True)
class Resources:
    """What a kernel takes.

    Attributes
    ----------
    registers : int
        Of a thread.
    stack_bytes, spill_stores, spill_loads : int
        Bytes of a thread in local memory.
    shared_bytes : int
        Static shared memory of a block.
    """

    registers: int
    stack_bytes: int
    spill_stores: int
    spill_loads: int
    shared_bytes: int

    @property
    def spills(self) -> int:
        """Bytes that are moved to local memory and back for want of registers."""
        return self.spill_stores + self.spill_loads


def resources(said: str) -> dict[str, Resources]:
    """Return what each kernel takes, by its name, of what ``ptxas -v`` printed."""
    found: dict[str, Resources] = {}
    for part in said.split("Compiling entry function")[1:]:
        entry = _ENTRY.match("Compiling entry function" + part)
        spills, used = _SPILLS.search(part), _USED.search(part)
        if entry is None or spills is None or used is None:
            raise RuntimeError(f"ptxas says something else than it did: {part.strip()[:200]}")
        stack, stores, loads = map(int, spills.groups())
        found[entry[1]] = Resources(int(used[1]), stack, stores, loads, int(used[2] or 0))
    return found
