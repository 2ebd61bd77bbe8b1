"""Write a network for a framework, in a process of its own, once.

A converter may take the process down, install signal handlers or print whatever it likes; and a
file that crashes the framework does so here first, where it is tried once.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

from .frameworks import FRAMEWORKS, OURS
from .job import Job, read


class Unavailable(Exception):
    """A framework is not here, or cannot run the network; the message says why, in one line."""


def converted(job: Job, name: str, work: Path) -> Path:
    """Return the folder with the network as the framework reads it, made if it is not there.

    Raises
    ------
    Unavailable
        If the framework is not installed, or cannot convert or run the network.
    """
    folder = work / f"{job.name}-{job.fingerprint}" / f"{name}-{version(name)}"
    if name == OURS:
        folder = folder.with_name(f"{folder.name}-{job.target}-{job.threads}-{_sources()}")
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    command = [sys.executable, "-m", "tools.peers.convert", job.source, name, str(partial)]
    done = subprocess.run(
        [*command, job.target, str(job.threads)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        (partial / "log.txt").write_text(done.stdout + done.stderr)
        lines = done.stderr.strip().splitlines()
        crashed = f"crashed with signal {-done.returncode}"
        raise Unavailable(crashed if done.returncode < 0 else (lines or ["no reason given"])[-1])
    partial.rename(folder)
    return folder


def version(name: str) -> str:
    """Return the version of the framework's first package.

    Raises
    ------
    Unavailable
        If one of its packages is not installed.
    """
    versions = []
    for distribution in FRAMEWORKS[name].distributions:
        try:
            versions.append(importlib.metadata.version(distribution))
        except importlib.metadata.PackageNotFoundError as error:
            raise Unavailable(f"{distribution} is not installed") from error
    return versions[0]


def _sources() -> str:
    """Return hex digits that change with the compiler's sources."""
    digest = hashlib.sha256()
    for package in ("tvmlcnn", "tvmlcnn.schedules", "tvmlcnn.targets"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        for path in sorted(Path(spec.origin or "").parent.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def main(model: str, name: str, folder: str, target: str, threads: str) -> int:
    """Convert, load and call once; the last line on stderr says why that failed."""
    warnings.simplefilter("ignore")
    try:
        job = read(model, target, int(threads))
        framework = FRAMEWORKS[name]
        framework.convert(job, Path(folder))
        framework.load(job, Path(folder))(job.input)
    except Exception as error:  # whatever the framework raises
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        print(f"{type(error).__name__}: {lines[0] if lines else ''}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
