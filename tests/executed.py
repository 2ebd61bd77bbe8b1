"""Lowered networks, run in this process: the calls of their programs, one after the other."""

from __future__ import annotations

import ctypes
import functools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tvm

from tvmlcnn.package.elf_object import ALIGNMENT
from tvmlcnn.package.flat_program import Base, Place
from tvmlcnn.package.kernel_code import SYMBOL, generate
from tvmlcnn.package.variants import together
from tvmlcnn.package.zig import run_zig
from tvmlcnn.runtime.c import FOLDER
from tvmlcnn.targets import Device

_GUARD = 4096  # bytes after the scratch that no kernel may write


class _Running(ctypes.Structure):
    """Running of kernels.h."""

    _fields_ = (("pool", ctypes.c_void_p), ("scratch", ctypes.c_void_p), ("used", ctypes.c_size_t))


class _Argument(ctypes.Structure):
    """Argument of program.h."""

    _fields_ = (("type", ctypes.c_int64), ("pointer", ctypes.c_void_p))


def results_of(mod: tvm.IRModule, inputs: Sequence[np.ndarray], device: Device) -> list[np.ndarray]:
    """Return what a module computes that `tvmlcnn.pipeline.run` made, on one thread.

    What it launches on a GPU is run on the CPU, by PoCL.
    """
    variants = together([mod])
    if device.gpu_code:
        import pocl  # needs an OpenCL driver, as no other test does

        call = pocl.call_of(variants.mod, device)
    else:
        call = call_of(*generate(variants.mod, device))
    (program,) = variants.programs
    outputs = [
        np.zeros([int(n) for n in ty.shape], str(ty.dtype)) for ty in mod["main"].ret_ty.fields
    ]
    weights = [aligned(array) for array in variants.arrays]
    owners = {
        Base.WORKSPACE: [_room(program.workspace)],
        Base.WEIGHTS: weights,
        Base.INPUT: [np.require(array, requirements="CA") for array in inputs],
        Base.OUTPUT: outputs,
    }

    def address(place: Place) -> int:
        return int(owners[place.base][place.index].ctypes.data) + place.offset

    for each in program.calls:
        status = call(each.function, *map(address, each.arguments))
        assert status == 0, (each.function, status)
    for copy in program.copies:
        ctypes.memmove(outputs[copy.output].ctypes.data, address(copy.source), copy.bytes)
    return outputs


def call_of(code: tvm.runtime.Module, scratch: int) -> Callable[..., int]:
    """Return a function that calls a kernel by its name, with `aligned` arrays or addresses."""
    with tempfile.TemporaryDirectory() as folder:
        kernels = Path(folder) / "kernels.o"
        code.write_to_file(str(kernels))
        library = _linked(kernels, Path(folder))
    library.pool_open.restype = ctypes.c_void_p

    def call(name: str, *tensors: np.ndarray | int) -> int:
        room, before = _room(scratch + _GUARD), ctypes.c_void_p()
        running = (_Running * 1)(_Running(None, room.ctypes.data, 0))
        pool = ctypes.c_void_p(library.pool_open(1, None, ctypes.c_size_t(0), running))
        addresses = (each if isinstance(each, int) else each.ctypes.data for each in tensors)
        arguments = (_Argument * len(tensors))(*(_Argument(0, address) for address in addresses))
        library.running_enter(running, ctypes.byref(before))
        status = getattr(library, SYMBOL + name)(arguments)
        library.running_leave(before)
        library.pool_close(pool)
        assert running[0].used == 0, "a kernel keeps what it allocated"
        assert (room[scratch:] == 0xFF).all(), "a kernel allocates more than was counted"
        return int(status)

    return call


def assembly_of(mod: tvm.IRModule, device: Device) -> str:
    """Return the assembly of the kernels of a module that `tvmlcnn.pipeline.run` made."""
    return str(generate(together([mod]).mod, device)[0].inspect_source("asm"))


def _room(size: int) -> np.ndarray:
    """Return aligned bytes; as floats they are NaN, which is seen where nothing is written."""
    room = np.full(size + ALIGNMENT, 0xFF, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size]


def aligned(array: np.ndarray) -> np.ndarray:
    """Return a copy that begins where kernels take for granted that tensors do."""
    result = _room(array.nbytes).view(array.dtype).reshape(array.shape)
    result[...] = array
    return result


def _linked(kernels: Path, folder: Path) -> ctypes.CDLL:
    path = folder / "kernels.so"
    run_zig(["ld.lld", "-shared", "-o", str(path), str(kernels), *map(str, _runtime()[1])])
    return ctypes.CDLL(str(path))


@functools.cache
def _runtime() -> tuple[tempfile.TemporaryDirectory, list[Path]]:
    """Return object files of what kernels call, and the folder that they are in."""
    folder = tempfile.TemporaryDirectory()
    objects = []
    for name in ("kernels", "pool"):
        objects.append(Path(folder.name) / f"{name}.o")
        source = str(FOLDER / f"{name}.c")
        flags = ["-std=c11", "-O2", "-fPIC", "-fno-sanitize=all"]
        run_zig(["cc", *flags, "-c", source, "-o", str(objects[-1])])
    return folder, objects
