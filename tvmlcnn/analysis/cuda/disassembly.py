"""NVIDIA's disassembler, which pip brings: ``pip install nvidia-cuda-nvdisasm``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from tvmlcnn.errors import UserError
from tvmlcnn.files import scratch


def find_disassembler() -> Path:
    """Return nvdisasm: of PATH, or of pip's package, the newest.

    Raises
    ------
    UserError
        If there is none.
    """
    on_path = shutil.which("nvdisasm")
    places = [Path(on_path)] if on_path else []
    installed = Path(sysconfig.get_path("platlib")).glob("nvidia/cu[0-9]*/bin/nvdisasm")
    places += sorted(installed, reverse=True)
    for place in places:
        if os.access(place, os.X_OK):
            return place
    raise UserError("no nvdisasm here: pip install nvidia-cuda-nvdisasm")


def disassemble(cubin: bytes) -> str:
    """Return the machine code of a cubin as text.

    Raises
    ------
    RuntimeError
        If nvdisasm does not take it.
    """
    program = find_disassembler()
    with scratch("tvmlcnn-") as folder:
        path = Path(folder, "kernels.cubin")
        path.write_bytes(cubin)
        command = [str(program), "-c", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"nvdisasm failed ({done.returncode}): {done.stderr.strip()}")
    return done.stdout
