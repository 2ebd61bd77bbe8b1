"""Write a network for each framework, once.

It is done by another process, which builds the network and forks for each framework: a converter
may take its process down, install signal handlers or print whatever it likes. And a file that
crashes the framework does so there, where it is tried once.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterable
from pathlib import Path

from .frameworks import FRAMEWORKS, OURS, OURS_IN_FLOAT32
from .job import Job, read
from .quiet import output_to
from .unavailable import UnavailableError

_PARTIAL, _LOG, _REASON = ".partial", "log.txt", "reason.txt"


def convert(job: Job, names: Iterable[str], work: Path) -> dict[str, Path | UnavailableError]:
    """Return the folder with the network as each framework reads it, or why there is none.

    What is in ``work`` already is not made again; its names tell the network, the weights and the
    framework's version. What fails leaves its log there.
    """
    found: dict[str, Path | UnavailableError] = {}
    pending: dict[str, Path] = {}
    for name in names:
        try:
            found[name] = folder = _folder(job, name, work)
        except UnavailableError as error:
            found[name] = error
            continue
        if folder.is_dir():
            continue
        if FRAMEWORKS[name].convert is None:
            folder.mkdir(parents=True)
            continue
        pending[name] = folder
        partial = Path(f"{folder}{_PARTIAL}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    if pending:
        command = [sys.executable, "-m", "tools.peers.convert"]
        command += [job.source, job.target, str(job.threads), job.dtype]
        folders = [f"{name}={folder}" for name, folder in pending.items()]
        subprocess.run([*command, *folders], stdout=subprocess.DEVNULL, check=False)
    for name, folder in pending.items():
        if not folder.is_dir():
            reason = Path(f"{folder}{_PARTIAL}") / _REASON
            text = reason.read_text() if reason.exists() else "its converter did not begin"
            found[name] = UnavailableError(text)
    return found


def version(name: str, dtype: str = "float32") -> str:
    """Return the version of the framework's first package.

    Raises
    ------
    UnavailableError
        If one of its packages is not installed, or it does not compute in the type.
    """
    framework = FRAMEWORKS[name]
    if dtype in framework.lacks:
        raise UnavailableError(framework.lacks[dtype])
    versions = []
    for distribution in (*framework.distributions, *framework.also.get(dtype, ())):
        try:
            versions.append(importlib.metadata.version(distribution))
        except importlib.metadata.PackageNotFoundError as error:
            raise UnavailableError(f"{distribution} is not installed") from error
    return versions[0]


def one_line(error: Exception) -> str:
    """Return the type and the first line of an error, cut where it is long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    return text if isinstance(error, UnavailableError) else f"{type(error).__name__}: {text}"[:200]


def _folder(job: Job, name: str, work: Path) -> Path:
    """Return the folder of a network for a framework, whether it is there or not."""
    key = f"{name}-{version(name, job.dtype)}-{job.dtype}"
    if name in (OURS, OURS_IN_FLOAT32):
        digest = hashlib.sha256(f"{job.target} {job.threads}".encode())
        for package in ("tvmlcnn", "tvmlcnn.schedules", "tvmlcnn.targets"):
            spec = importlib.util.find_spec(package)
            assert spec is not None
            assert spec.origin is not None
            for path in sorted(Path(spec.origin).parent.rglob("*.py")):
                digest.update(path.read_bytes())
        key += f"-{digest.hexdigest()[:12]}"
    return work / f"{job.name}-{job.fingerprint}" / key


def _convert_forked(job: Job, name: str, folder: Path) -> None:
    """Convert, load and call once in a fork; the folder gets its name when that went well."""
    partial = Path(f"{folder}{_PARTIAL}")
    process = os.fork()
    if process == 0:
        code = 1
        try:
            with output_to(partial / _LOG):
                framework = FRAMEWORKS[name]
                assert framework.convert is not None
                try:
                    framework.convert(job, partial)
                    framework.load(job, partial)(job.input)
                    code = 0
                except Exception as error:  # whatever the framework raises
                    traceback.print_exc()
                    (partial / _REASON).write_text(one_line(error))
                sys.stdout.flush()
                sys.stderr.flush()
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status == 0:
        partial.rename(folder)
    elif status < 0:
        (partial / _REASON).write_text(f"crashed with signal {-status}")


def _main(model: str, target: str, threads: str, dtype: str, *folders: str) -> None:
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # a fork has none of its parent's threads
    job = read(model, target, int(threads), dtype)
    for text in folders:
        name, _, folder = text.partition("=")
        print(f"{job.name}: converting for {FRAMEWORKS[name].title} ...", file=sys.stderr)
        _convert_forked(job, name, Path(folder))


if __name__ == "__main__":
    _main(*sys.argv[1:])
