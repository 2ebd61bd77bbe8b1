"""Files for a GPU on a machine without one: a driver made for the tests, and a network for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tvmlcnn.package import cuda
from tvmlcnn.package.checksums import write_checksums
from tvmlcnn.package.cuda_tables import cuda_tables
from tvmlcnn.package.elf_object import data_object
from tvmlcnn.package.flat_program import Base, Call, Copy, FlatProgram, Place
from tvmlcnn.package.launches import GpuFunction, Launch
from tvmlcnn.package.link import link
from tvmlcnn.package.program_source import program_source
from tvmlcnn.package.runtime_object import runtime_objects
from tvmlcnn.runtime.c import FOLDER
from tvmlcnn.runtime.checksum import CHECKSUM_SECTION, SIZE
from tvmlcnn.runtime.machine import machine
from tvmlcnn.runtime.manifest import MANIFEST_SECTION, WEIGHTS_SECTION, TensorSpec

TESTS = Path(__file__).parent
SIZES = (64, 128)
WEIGHT = np.linspace(-1, 1, 256, dtype=np.float32)


@dataclass(frozen=True)
class NoCompiler(cuda.Compiler):
    """Makes an image that only the driver of the tests takes."""

    name: str = "none"
    version: str = "1.0"
    numbers: tuple[int, ...] = field(default=())

    def compile(self, source: str, code: tuple[str, ...]) -> tuple[str, bytes]:
        """Return what is no machine code."""
        return "cubin", b"\x7fimage"


def build_driver(folder: Path, *flags: str) -> Path:
    """Build ``libcuda.so.1`` in a folder that the dynamic loader is to look into."""
    shared = ("-shared", "-fPIC", "-Wl,-soname,libcuda.so.1")
    source = TESTS / "runtime" / "c" / "fake_cuda.c"
    build_with_gcc(folder / "libcuda.so.1", source, *shared, *flags)
    return folder


def build_with_gcc(output: Path, *arguments: object) -> None:
    """Compile and link C, by all warnings."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("no gcc")
    flags = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{FOLDER}"]
    subprocess.run([gcc, *flags, *map(str, arguments), "-o", str(output)], check=True)


def run(script: str, driver: Path, *arguments: object) -> str:
    """Run a script of the tests in a process of its own, with a driver; return what it prints."""
    paths = [str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "LD_LIBRARY_PATH": str(driver),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    done = subprocess.run(
        [sys.executable, str(TESTS / script), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def build_file(folder: Path) -> Path:
    """Link ``file.so``, of two programs: x * weight in reverse, x itself, and a part of the weight.

    Reversing takes two launches, with a tensor between them. What it is linked from stays beside
    it: the tables ``program.c``, and ``data.o``.
    """

    def launch(kernel: str, *tensors: int, size: int, shared: int = 0) -> Launch:
        early = kernel.endswith("_1")
        return Launch(kernel, tensors, (size // 16, 1, 1), (16, 1, 1), shared, early)

    functions, programs, inputs, outputs = {}, [], [], []
    for size in SIZES:
        functions[f"scale_{size}"] = GpuFunction(
            (launch(f"scale_{size}_kernel", 2, 0, 1, size=size),), ()
        )
        functions[f"reverse_{size}"] = GpuFunction(
            (
                launch(f"reverse_{size}_kernel", 0, 2, size=size, shared=4096),
                launch(f"reverse_{size}_kernel_1", 2, 1, size=size),
            ),
            (4 * size,),
        )
        x, weight = Place(Base.INPUT, 0, 0), Place(Base.WEIGHTS, 0, 0)
        between, y = Place(Base.WORKSPACE, 0, 0), Place(Base.OUTPUT, 0, 0)
        calls = (
            Call(f"scale_{size}", (x, weight, between)),
            Call(f"reverse_{size}", (between, y)),
        )
        copies = (Copy(x, 1, 4 * size), Copy(Place(Base.WEIGHTS, 0, 64), 2, 4 * size))
        programs.append(FlatProgram(calls, copies, 4 * size))
        inputs.append([TensorSpec("x", (size,), "float32")])
        outputs.append([TensorSpec(name, (size,), "float32") for name in ("y", "same", "weight")])
    tables = cuda_tables(programs, functions, ("sm_75", "compute_75"), NoCompiler())
    source = program_source(tables, programs, inputs, outputs, [0])
    sections = {
        cuda.CUDA_SECTION: b"\x7fimage",
        WEIGHTS_SECTION: WEIGHT.tobytes(),
        MANIFEST_SECTION: b"{}",
        CHECKSUM_SECTION: bytes(SIZE),
    }
    (folder / "data.o").write_bytes(data_object(machine(), sections))
    objects = runtime_objects(machine(), "cuda", source, folder)
    link([*objects, folder / "data.o"], folder / "file.so")
    write_checksums(folder / "file.so")
    return folder / "file.so"
