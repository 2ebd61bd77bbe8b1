"""Calling the kernels of a library: in this process, or as a program of an emulated machine.

It takes neither TVM nor what else the emulated machine has not.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

_ALIGNMENT = 64  # what kernels take for granted of tensors
_GUARD = 4096  # bytes after the scratch that no kernel may write


class _Running(ctypes.Structure):
    """Running of kernels.h."""

    _fields_ = (("pool", ctypes.c_void_p), ("scratch", ctypes.c_void_p), ("used", ctypes.c_size_t))


class _Argument(ctypes.Structure):
    """Argument of program.h."""

    _fields_ = (("type", ctypes.c_int64), ("pointer", ctypes.c_void_p))


def kernels(library: Path, scratch: int) -> Callable[..., int]:
    """Return a function that calls a kernel by its symbol, with `aligned` arrays or addresses."""
    loaded = ctypes.CDLL(str(library))
    loaded.pool_open.restype = ctypes.c_void_p

    def call(symbol: str, *tensors: np.ndarray | int) -> int:
        memory, before = room(scratch + _GUARD), ctypes.c_void_p()
        running = (_Running * 1)(_Running(None, memory.ctypes.data, 0))
        pool = ctypes.c_void_p(loaded.pool_open(1, None, ctypes.c_size_t(0), running))
        addresses = (each if isinstance(each, int) else each.ctypes.data for each in tensors)
        arguments = (_Argument * len(tensors))(*(_Argument(0, address) for address in addresses))
        loaded.running_enter(running, ctypes.byref(before))
        status = getattr(loaded, symbol)(arguments)
        loaded.running_leave(before)
        loaded.pool_close(pool)
        assert running[0].used == 0, "a kernel keeps what it allocated"
        assert (memory[scratch:] == 0xFF).all(), "a kernel allocates more than was counted"
        return int(status)

    return call


def room(size: int) -> np.ndarray:
    """Return aligned bytes; as floats they are NaN, which is seen where nothing is written."""
    whole = np.full(size + _ALIGNMENT, 0xFF, np.uint8)
    start = -whole.ctypes.data % _ALIGNMENT
    return whole[start : start + size]


def aligned(array: np.ndarray) -> np.ndarray:
    """Return a copy that begins where kernels take for granted that tensors do."""
    result = room(array.nbytes).view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


def run(
    library: Path,
    scratch: int,
    calls: list[tuple[str, list[tuple[str, int]]]],
    owners: dict[str, np.ndarray],
) -> None:
    """Call kernels one after the other, each with addresses: of what, and how many bytes after."""
    call = kernels(library, scratch)
    for symbol, places in calls:
        addresses = [int(owners[owner].ctypes.data) + offset for owner, offset in places]
        status = call(symbol, *addresses)
        assert status == 0, (symbol, status)


def _main(folder: Path) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    with np.load(folder / "given.npz") as given:
        owners = {name: aligned(given[name]) for name in given.files}
    run(folder / "kernels.so", plan["scratch"], plan["calls"], owners)
    np.savez(folder / "made.npz", **{name: owners[name] for name in plan["made"]})


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
