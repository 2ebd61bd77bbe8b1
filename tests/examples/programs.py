"""Building the examples as a reader does, and running them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conftest import ROOT

from tvmlcnn.runtime import load
from tvmlcnn.runtime.c import HEADER

EXAMPLES = ROOT / "examples"
TRIPLES = {"aarch64": "aarch64-linux-gnu.2.17", "armv7l": "arm-linux-gnueabihf.2.17"}


@dataclass(frozen=True)
class Sample:
    """An input in both forms that the examples read, and the scores."""

    npy: Path
    raw: Path
    scores: np.ndarray


def sample(classifier: Path, folder: Path) -> Sample:
    """Return random input for the classifier of this machine."""
    array = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    result = Sample(folder / "x.npy", folder / "x.bin", load(classifier)(array)[0])
    np.save(result.npy, array)
    array.tofile(result.raw)
    return result


def sources(example: str, folder: Path) -> Path:
    """Return a folder with an example and the header, as a reader of the documentation has it."""
    shutil.copytree(EXAMPLES / example, folder / example)
    shutil.copy(HEADER, folder / example)
    return folder / example


def call(command: Sequence[object]) -> str:
    """Run a program that succeeds and return what it prints."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(command: Sequence[object]) -> str:
    """Run a program that fails and return its one line."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1, line
    return line


def with_cmake(folder: Path) -> Path:
    """Build an example for this machine, where a warning is an error."""
    flags = "-Wall -Wextra -Werror"
    options = (f"-DCMAKE_C_FLAGS={flags}", f"-DCMAKE_CXX_FLAGS={flags}")
    call(["cmake", "-S", folder, "-B", folder / "build", *options])
    call(["cmake", "--build", folder / "build"])
    return folder / "build" / "classify"


def with_zig(compiler: str, machine: str, source: Path, *options: str) -> Path:
    """Build an example for another machine, with glibc 2.17's names of its functions."""
    program = source.with_suffix(f".{machine}")
    command = [sys.executable, "-m", "ziglang", compiler, "-target", TRIPLES[machine], "-O2"]
    call([*command, *options, source, "-o", program, "-ldl", "-lm", "-lpthread"])
    return program


def emulated(machine: str, *command: object) -> list[object]:
    """Return the command that runs a program of another machine."""
    tool = ROOT / "tools" / "emulated_pi.py"
    return [sys.executable, tool, "run", "--arch", machine, "--", *command]
