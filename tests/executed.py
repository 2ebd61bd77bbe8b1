"""Lowered networks, run in this process or in an emulator: the calls of their programs in order."""

from __future__ import annotations

import ctypes
import functools
import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import kernel_library
import numpy as np
import tvm
from kernel_library import aligned, kernels, room, run

from tvmlcnn import emulator
from tvmlcnn.package.flat_program import Base
from tvmlcnn.package.kernel_code import SYMBOL, generate
from tvmlcnn.package.runtime_object import TRIPLES
from tvmlcnn.package.variants import together
from tvmlcnn.package.zig import run_zig
from tvmlcnn.runtime.c import FOLDER
from tvmlcnn.runtime.machine import machine
from tvmlcnn.targets import Device, Gpu


def results_of(mod: tvm.IRModule, inputs: Sequence[np.ndarray], device: Device) -> list[np.ndarray]:
    """Return what a module computes that `tvmlcnn.pipeline.run` made, on one thread.

    Kernels for another machine run in its emulator, those for a GPU on
    the one that is here, or on the CPU, by PoCL.
    """
    variants = together([mod])
    (program,) = variants.programs
    outputs = [
        np.zeros([int(n) for n in ty.shape], str(ty.dtype)) for ty in mod["main"].ret_ty.fields
    ]
    owners = {_owner(Base.WORKSPACE, 0): room(program.workspace)}
    for base, arrays in (
        (Base.WEIGHTS, [aligned(array) for array in variants.arrays]),
        (Base.INPUT, [np.require(array, requirements="CA") for array in inputs]),
        (Base.OUTPUT, outputs),
    ):
        owners |= {_owner(base, number): array for number, array in enumerate(arrays)}
    calls = [
        (each.function, [(_owner(at.base, at.index), at.offset) for at in each.arguments])
        for each in program.calls
    ]
    if device.gpu_code:
        assert isinstance(device, Gpu)
        gpu_runner().run(variants.mod, device, calls, owners)
    else:
        code, scratch = generate(variants.mod, device)
        calls = [(SYMBOL + function, places) for function, places in calls]
        copied = [_owner(copy.source.base, copy.source.index) for copy in program.copies]
        made = [_owner(Base.OUTPUT, number) for number in range(len(outputs))] + copied
        with tempfile.TemporaryDirectory() as folder:
            library = _linked(code, Path(folder), device.machine)
            if device.machine == machine():
                run(library, scratch, calls, owners)
            else:
                owners |= _emulated(Path(folder), device, scratch, calls, owners, sorted(set(made)))
                outputs = [owners[_owner(Base.OUTPUT, number)] for number in range(len(outputs))]
    for copy in program.copies:
        source = owners[_owner(copy.source.base, copy.source.index)]
        address = int(source.ctypes.data) + copy.source.offset
        ctypes.memmove(outputs[copy.output].ctypes.data, address, copy.bytes)
    return outputs


def gpu_runner() -> ModuleType:
    """Return what runs kernels of a GPU here: the one of this machine, or else PoCL."""
    import gpu

    if not gpu.missing():
        return gpu
    import pocl  # needs an OpenCL driver, as no other test does

    return pocl


def no_pocl() -> bool:
    """Return whether PoCL is not here, or what Python needs for it."""
    try:
        import pocl
    except ImportError:
        return True
    return pocl.missing()


def no_gpu_runner() -> bool:
    """Return whether neither a GPU nor PoCL is here."""
    import gpu

    return gpu.missing() and no_pocl()


def call_of(code: tvm.runtime.Module, scratch: int) -> Callable[..., int]:
    """Return a function that calls a kernel by its name, with `aligned` arrays or addresses."""
    with tempfile.TemporaryDirectory() as folder:
        call = kernels(_linked(code, Path(folder), machine()), scratch)
    return lambda name, *tensors: call(SYMBOL + name, *tensors)


def assembly_of(mod: tvm.IRModule, device: Device) -> str:
    """Return the assembly of the kernels of a module that `tvmlcnn.pipeline.run` made."""
    return str(generate(together([mod]).mod, device)[0].inspect_source("asm"))


def _owner(base: Base, index: int) -> str:
    return f"{base.name}_{index}"


def _emulated(
    folder: Path,
    device: Device,
    scratch: int,
    calls: list[tuple[str, list[tuple[str, int]]]],
    owners: dict[str, np.ndarray],
    made: list[str],
) -> dict[str, np.ndarray]:
    """Run the kernels of ``kernels.so`` in the emulator of a device; return what they made."""
    python = emulator.find(device.machine)
    assert python is not None, f"no emulator of {device.machine}"
    plan = {"scratch": scratch, "calls": calls, "made": made}
    (folder / "plan.json").write_text(json.dumps(plan))
    np.savez(folder / "given.npz", **owners)
    with emulator.environment(device.emulated_cpu) as variables:
        program = Path(kernel_library.__file__)
        command = [str(python), str(program), str(folder)]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(folder / "made.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def _linked(code: tvm.runtime.Module, folder: Path, machine: str) -> Path:
    path, objects = folder / "kernels.so", folder / "kernels.o"
    code.write_to_file(str(objects))
    run_zig(["ld.lld", "-shared", "-o", str(path), str(objects), *map(str, _runtime(machine)[1])])
    return path


@functools.cache
def _runtime(machine: str) -> tuple[tempfile.TemporaryDirectory, list[Path]]:
    """Return object files of what kernels call, and the folder that they are in."""
    folder = tempfile.TemporaryDirectory()
    objects = []
    for name in ("kernels", "pool"):
        objects.append(Path(folder.name) / f"{name}.o")
        source = str(FOLDER / f"{name}.c")
        flags = ["-std=c11", "-O2", "-fPIC", "-fno-sanitize=all", "-target", TRIPLES[machine]]
        run_zig(["cc", *flags, "-c", source, "-o", str(objects[-1])])
    return folder, objects
