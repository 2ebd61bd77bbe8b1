"""What kernels take of a multiprocessor, as ``ptxas -v`` says, and how many blocks fit on it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tvmlcnn.targets import Gpu

_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:, used \d+ barriers)?(?:, .*?(\d+) bytes smem)?")

# How registers and shared memory are handed out: CUDA's occupancy calculator, from 7.0 on.
_REGISTERS_OF_WARP_MULTIPLE = 256
_SHARED_MULTIPLE = 128
_MOST_BLOCKS = {75: 16, 86: 16, 87: 16, 89: 24}
_MOST_BLOCKS_ELSE = 32
_SYSTEM_SHARED = 1024
"""Of each block, for the system, from 8.0 on."""


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


def resident_blocks(of: Resources, threads: int, dynamic_shared: int, gpu: Gpu) -> int:
    """Return how many blocks of a kernel fit on a multiprocessor at once.

    Parameters
    ----------
    of : Resources
    threads : int
        Of a block.
    dynamic_shared : int
        Bytes of shared memory that a launch asks for.
    gpu : Gpu
    """
    warps = -(-threads // 32)
    by_threads = gpu.threads_of_multiprocessor // (32 * warps)
    of_warp = _up(of.registers * 32, _REGISTERS_OF_WARP_MULTIPLE)
    by_registers = gpu.registers // (of_warp * warps) if of_warp else by_threads
    shared = of.shared_bytes + dynamic_shared
    shared += _SYSTEM_SHARED if gpu.capability >= 80 else 0
    by_shared = gpu.shared_of_multiprocessor // _up(max(shared, 1), _SHARED_MULTIPLE)
    most = _MOST_BLOCKS.get(gpu.capability, _MOST_BLOCKS_ELSE)
    return min(by_threads, by_registers, by_shared, most)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
