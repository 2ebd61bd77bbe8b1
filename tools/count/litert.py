"""LiteRT's converter, in a virtual environment of its own: it brings JAX and much else."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import torch

from tools.foreign_packages import run, say
from tools.peers.convert import UnavailableError
from tools.peers.job import Job
from tvmlcnn import emulator

CONVERTER = "litert-torch==0.10.0"
RUNTIME = "ai-edge-litert==2.3.0"  # which that converter is for


def convert(job: Job, work: Path, dtype: str) -> Path:
    """Return the network as ``DTYPE.tflite``, with images' channels last."""
    folder = work / f"{job.name}-{job.fingerprint}" / CONVERTER.replace("==", "-")
    file = folder / f"{dtype}.tflite"
    if file.exists():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    program = torch.export.export(job.module, (torch.from_numpy(job.input),))
    torch.export.save(program, folder / "program.pt2")
    done = subprocess.run(
        [_python(), Path(__file__).with_name("to_litert.py"), folder, dtype],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UnavailableError(f"its converter failed: {done.stderr.strip().splitlines()[-1]}")
    return file


def _python() -> Path:
    """Return the environment's Python, made where it is not there; it has torch from here."""
    home = emulator.home("counting-litert")
    python = home / "bin" / "python"
    stamp = home / "stamp"
    if not stamp.exists() or stamp.read_text() != CONVERTER:
        say(f"installing {CONVERTER} in {home}")
        venv.create(home, clear=True, with_pip=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        site = home / "lib" / version / "site-packages"
        (site / "torch.pth").write_text(sysconfig.get_path("purelib"))
        run("pip install", [python, "-m", "pip", "install", "-q", CONVERTER])
        stamp.write_text(CONVERTER)
    return python
