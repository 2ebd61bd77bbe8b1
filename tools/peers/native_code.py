"""C of this folder, compiled by clang, which the extra ``compile`` brings."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path


def library(name: str, work: Path, *options: str) -> ctypes.CDLL:
    """Compile ``<name>.c`` into a folder, and load it.

    Raises
    ------
    RuntimeError
        If it cannot be compiled.
    """
    built = work / f"{name}{''.join(options)}.so"
    source = Path(__file__).with_name(f"{name}.c")
    command = [sys.executable, "-m", "ziglang", "cc", "-O3", "-shared", "-fPIC", *options]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(work / "zig"), "ZIG_LOCAL_CACHE_DIR": str(work / "zig")}
    done = subprocess.run(
        [*command, "-o", str(built), str(source)],
        env=os.environ | caches,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"zig cc: {done.stderr.strip().splitlines()[-1]}")
    return ctypes.CDLL(str(built))
