"""What each kernel of a program for a GPU executes, moves and takes, counted from its machine code.

Counts are no times. They are of the code that nvcc makes of just the source that a file is compiled
from. Of a launch with many blocks some are run, spread over it, and each stands for its share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tvmlcnn.package.cuda_compiler import Compiler
from tvmlcnn.package.launches import GpuFunction, Launch
from tvmlcnn.targets import Gpu, resident_blocks

from .disassembly import disassemble
from .emulation import SECTOR, Executed, Run
from .machine import Lanes, UnknownError
from .resources import Resources, resources
from .sass import Listing, listings

MULTIPLY_ADDS = {
    "FFMA": 1,
    "FFMA2": 2,
    "HFMA2": 2,
    "IDP.4A": 4,
    "HMMA.1684": 16,
    "HMMA.1688": 32,
    "HMMA.16816": 64,
    "IMMA.8816": 32,
    "IMMA.16816": 64,
    "IMMA.16832": 128,
}
"""Multiply-adds in an instruction, of a lane (of a warp over 32, where its lanes work together)."""
_LEAST_BLOCKS, _MOST_BLOCKS, _LANES = 4, 32, 8192
_WAVE_LANES = 16384
_GOLDEN = 0.6180339887498949
"""Weyl's sequence of it spreads over an interval whatever the number of its members."""


@dataclass(frozen=True)
class KernelCount:
    """What one launch of a kernel does.

    Attributes
    ----------
    launch : Launch
    resources : Resources
    resident : int
        Blocks that fit on a multiprocessor at once.
    instructions : Counter
        That warps execute, by opcode; empty where it is not countable.
    sector_bytes : int
        Of global memory, in sectors that warps ask for, instruction by instruction.
    block_bytes : int
        Of those, each sector once for a block: what leaves multiprocessors whose first-level cache
        holds what a block uses.
    wave_bytes : int
        Of those, each sector once for all blocks that run at a time: what memory itself moves if
        the second-level cache holds what they use, and nothing for the ones after them.
    uncounted : str
        Why it could not be counted; empty if it was.
    assumed : bool
        Whether jumps or addresses depend on data, and the most that there can be was counted.
    """

    launch: Launch
    resources: Resources
    resident: int
    instructions: Counter[str]
    sector_bytes: int
    block_bytes: int
    wave_bytes: int
    uncounted: str = ""
    assumed: bool = False

    @property
    def warp_instructions(self) -> int:
        """All of them."""
        return self.instructions.total()

    @property
    def multiply_adds(self) -> int:
        """Of all lanes of the warps, those that are switched off included."""
        return 32 * sum(self.instructions[name] * each for name, each in MULTIPLY_ADDS.items())


def count_kernels(
    functions: Mapping[str, GpuFunction], source: str, gpu: Gpu, compiler: Compiler
) -> dict[str, tuple[KernelCount, ...]]:
    """Count the launches of each function.

    Parameters
    ----------
    functions, source
        As `tvmlcnn.package.cuda.cuda_source` returns them.
    gpu : Gpu
        Whose machine code is counted.
    compiler : Compiler
        nvcc.
    """
    cubin, said = compiler.inspect(source, gpu.gpu_code[0])
    code, takes = listings(disassemble(cubin)), resources(said)
    return {
        name: tuple(
            _count(code[launch.kernel], launch, takes[launch.kernel], gpu)
            for launch in function.launches
        )
        for name, function in functions.items()
    }


def _count(kernel: Listing, launch: Launch, takes: Resources, gpu: Gpu) -> KernelCount:
    threads = int(np.prod(launch.block))
    shared = takes.shared_bytes + launch.shared
    fits = resident_blocks(threads, takes.registers, shared, gpu)
    blocks, weights = sampled_blocks(launch.grid, threads)
    lanes = Lanes(launch.grid, launch.block, blocks, gpu.capability)
    try:
        did = Run(kernel, lanes, weights).run()
        of_waves = _wave_bytes(kernel, launch, fits * gpu.multiprocessors, gpu)
    except UnknownError as error:
        return KernelCount(launch, takes, fits, Counter(), 0, 0, 0, str(error))
    instructions = Counter({name: round(n) for name, n in did.instructions.items()})
    return KernelCount(
        launch,
        takes,
        fits,
        instructions,
        _bytes(did.sectors),
        _bytes(did.of_blocks),
        of_waves,
        assumed=did.assumed,
    )


def _wave_bytes(kernel: Listing, launch: Launch, at_once: int, gpu: Gpu) -> int:
    """Return what waves of so many blocks ask for: that of one amid the launch, for each of them.

    Of a large GPU's wave a part is run, whose blocks share less.
    """
    total = int(np.prod(launch.grid))
    threads = int(np.prod(launch.block))
    count = min(total, max(1, at_once), max(1, _WAVE_LANES // threads))
    blocks = _places((total - count) // 2 // count * count + np.arange(count), launch.grid)
    lanes = Lanes(launch.grid, launch.block, blocks, gpu.capability)
    did = Run(kernel, lanes, np.full(count, total / count), together=True).run()
    return _bytes(did.of_blocks)


def _bytes(sectors: Mapping[str, float]) -> int:
    return round(SECTOR * sum(sectors.values()))


def sampled_blocks(grid: tuple[int, int, int], threads: int) -> tuple[np.ndarray, np.ndarray]:
    """Return some of a launch's blocks, and for how many each of them stands.

    All, where they are few: then counts are exact.

    Returns
    -------
    blocks : ndarray of int
        Shape (n, 3): x, y, z.
    weights : ndarray of float
    """
    total = int(np.prod(grid))
    most = min(max(_LANES // threads, _LEAST_BLOCKS), _MOST_BLOCKS)
    if total <= most:
        numbers = np.arange(total)
    else:
        spread = np.floor(total * (np.arange(4 * most) * _GOLDEN % 1)).astype(int)
        numbers = np.array(list(dict.fromkeys([0, total - 1, *spread]))[:most])
    return _places(numbers, grid), np.full(len(numbers), total / len(numbers))


def _places(numbers: np.ndarray, grid: tuple[int, int, int]) -> np.ndarray:
    """Return where blocks are in a grid, by their number in the order in which they begin."""
    x, y, _ = grid
    return np.stack([numbers % x, numbers // x % y, numbers // (x * y)], 1)


__all__ = ["MULTIPLY_ADDS", "Executed", "KernelCount", "count_kernels", "sampled_blocks"]
