"""NVIDIA's compilers: finding one, and having it turn CUDA C++ into a cubin or a fatbin.

nvcc comes with the CUDA toolkit and preprocesses with the host's gcc. NVRTC is a library, which
pip installs with all it needs. Neither needs a GPU or a driver.

What is to be embedded is named as nvcc's ``code=`` does: ``"sm_87"`` for machine code,
``"compute_75"`` for PTX, which a driver compiles for the GPU it finds. Machine code runs on later
minor versions of its architecture only (``sm_80`` on 8.6, ``sm_75`` not on 8.0); PTX runs on every
later architecture, if the driver is no older than the compiler.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tvmlcnn.errors import UserError
from tvmlcnn.files import scratch

from . import nvrtc
from .launch_bounds import with_fewer_resident
from .spills import spilling

_FIRST_OF_CUDA_13 = 75
_INSTALL = "pip install 'tvmlcnn[cuda]', or install NVIDIA's CUDA toolkit (nvcc on PATH) and gcc"


@dataclass(frozen=True)
class Compiler:
    """A compiler of CUDA C++ on this machine.

    Attributes
    ----------
    name : str
        ``"nvcc"`` or ``"nvrtc"``.
    version : str
        CUDA's version, ``"13.0"``: a driver for an older major version does not take its code.
    numbers : tuple of int
        Compute capabilities that it compiles for, times ten.
    path : Path, optional
        nvcc's program.
    """

    name: str
    version: str
    numbers: tuple[int, ...]
    path: Path | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def compile(self, source: str, code: tuple[str, ...]) -> tuple[str, bytes]:
        """Compile a program.

        Parameters
        ----------
        source : str
            CUDA C++ as TVM's code generator writes it.
        code : tuple of str
            What to embed.

        Returns
        -------
        format : str
            ``"cubin"`` for machine code of one architecture, else ``"fatbin"``.
        binary : bytes
        """
        form = "cubin" if len(code) == 1 and code[0].startswith("sm_") else "fatbin"
        return form, self._without_spills(source, code, form)[0]

    def _without_spills(self, source: str, code: tuple[str, ...], form: str) -> tuple[bytes, str]:
        """Compile a program, again where kernels spill; return it, and what ptxas says."""
        binary, said = self._run(source, code, form)
        while (freer := with_fewer_resident(source, spilling(said))) != source:
            source = freer
            binary, said = self._run(source, code, form)
        return binary, said

    def _run(self, source: str, code: tuple[str, ...], form: str) -> tuple[bytes, str]:
        if self.path is None:
            return nvrtc.compile_cuda(source, code, form)
        return _run_nvcc(self.path, source, code, form)

    def inspect(self, source: str, code: str) -> tuple[bytes, str]:
        """Compile a program for one architecture, and have ptxas say what kernels take.

        Parameters
        ----------
        source : str
        code : str
            As in ``"sm_87"``.

        Returns
        -------
        binary : bytes
            A cubin.
        said : str
            What ``ptxas -v`` prints.
        """
        return self._without_spills(source, (code,), "cubin")


def number(code: str) -> int:
    """Return 87 for ``"sm_87"``, 90 for ``"sm_90a"`` and 75 for ``"compute_75"``."""
    match = re.fullmatch(r"(?:sm|compute)_(\d+)[af]?", code)
    if match is None:
        raise UserError(f"{code!r} is no CUDA architecture; it is written like 'sm_87'")
    return int(match[1])


def find_compiler(code: tuple[str, ...]) -> Compiler:
    """Return the first compiler that can make ``code``: nvcc, then NVRTC.

    Raises
    ------
    UserError
        If there is none; the message says what to install.
    """
    wanted = {number(one) for one in code}
    found = []
    for compiler in available(fatbin=len(code) > 1):
        if wanted <= set(compiler.numbers):
            return compiler
        found.append(compiler)
    if not found:
        raise UserError(f"no CUDA compiler here that makes {' and '.join(code)}: {_INSTALL}")
    missing = min(wanted - set(found[0].numbers))
    known = ", ".join(f"sm_{one}" for one in sorted(found[0].numbers))
    here = f"{found[0]} cannot compile for sm_{missing}, only for {known}"
    if missing < _FIRST_OF_CUDA_13:
        raise UserError(
            f"{here}; CUDA 12 could: "
            "pip install 'cuda-bindings==12.9.*' 'cuda-toolkit[cccl,cudart,nvfatbin,nvrtc]==12.9.*'"
        )
    raise UserError(f"{here}; install a CUDA that knows it")


def available(fatbin: bool) -> Iterator[Compiler]:
    """Yield the compilers of this machine, those that make fatbins if one is wanted."""
    for path in _nvcc_paths():
        if (compiler := _inspect_nvcc(path)) is not None:
            yield compiler
    if (found := nvrtc.inspect(fatbin)) is not None:
        yield Compiler("nvrtc", *found)


def _nvcc_paths() -> list[Path]:
    """Return the places of nvcc that exist: PATH, CUDA_HOME, CUDA_PATH, pip's nvidia-cuda-nvcc."""
    if shutil.which("gcc") is None and "NVCC_CCBIN" not in os.environ:
        return []  # nvcc preprocesses with it
    homes = [Path(os.environ[name]) for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    homes += sorted(Path(sysconfig.get_path("platlib")).glob("nvidia/cu[0-9]*"), reverse=True)
    on_path = shutil.which("nvcc")
    places = [Path(on_path)] if on_path else []
    places += [home / "bin" / "nvcc" for home in homes]
    return [place for place in places if os.access(place, os.X_OK)]


def _inspect_nvcc(path: Path) -> Compiler | None:
    """Ask an nvcc what it is; None where it does not run."""
    try:
        about = _output([str(path), "--version"])
        architectures = _output([str(path), "--list-gpu-code"])
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"release (\d+\.\d+)", about)
    numbers = tuple(int(one) for one in re.findall(r"sm_(\d+)", architectures))
    return Compiler("nvcc", version[1], numbers, path) if version else None


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _run_nvcc(path: Path, source: str, code: tuple[str, ...], form: str) -> tuple[bytes, str]:
    with scratch("tvmlcnn-") as folder:
        program, binary = Path(folder, "kernels.cu"), Path(folder, f"kernels.{form}")
        program.write_text(source)
        command = [str(path), f"--{form}", "-w", "-Xptxas=-v", "-o", str(binary)]
        # No host code is made, so that any gcc will do.
        command.append("-allow-unsupported-compiler")
        for one in code:
            command += ["-gencode", f"arch=compute_{one.split('_')[1]},code={one}"]
        done = subprocess.run([*command, str(program)], capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise RuntimeError(f"nvcc failed ({done.returncode}): {said}")
        return binary.read_bytes(), done.stderr
