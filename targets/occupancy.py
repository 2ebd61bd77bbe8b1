"""How many blocks of threads a multiprocessor of a GPU holds at once.

Registers, shared memory and blocks are handed out as NVIDIA's occupancy calculator says
(``cuda_occupancy.h`` of the CUDA toolkit).
"""

from __future__ import annotations

from .gpu import Gpu

_WARP = 32
# A multiprocessor is four parts, each with a quarter of its registers and a scheduler.
_PARTS = 4
_REGISTERS_OF_WARP_MULTIPLE = 256
_SHARED_MULTIPLE = 128
_MOST_BLOCKS = {75: 16, 86: 16, 87: 16, 89: 24}
_MOST_BLOCKS_ELSE = 32
# Of each block, for the system, from 8.0 on.
_SYSTEM_SHARED, _SYSTEM_SHARED_FROM = 1024, 80


def resident_blocks(threads: int, registers: int, shared: int, gpu: Gpu) -> int:
    """Return how many blocks of a kernel fit on a multiprocessor at once, 0 if none does.

    Parameters
    ----------
    threads : int
        Of a block.
    registers : int
        Of a thread.
    shared : int
        Bytes of shared memory of a block, static or asked for.
    gpu : Gpu
    """
    warps = -(-threads // _WARP)
    of_warp = _up(registers * _WARP, _REGISTERS_OF_WARP_MULTIPLE)
    most_warps = gpu.registers // _PARTS // max(of_warp, 1) * _PARTS
    shared += _SYSTEM_SHARED if gpu.capability >= _SYSTEM_SHARED_FROM else 0
    return min(
        gpu.threads_of_multiprocessor // (_WARP * warps),
        most_warps // warps,
        gpu.shared_of_multiprocessor // _up(max(shared, 1), _SHARED_MULTIPLE),
        _MOST_BLOCKS.get(gpu.capability, _MOST_BLOCKS_ELSE),
    )


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
