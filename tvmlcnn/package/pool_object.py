"""The threads of a model, compiled for its machine and linked into its file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tvmlcnn.errors import UserError
from tvmlcnn.runtime.thread_pool import SOURCE

# The oldest glibc that the file is to be loaded on: that of the manylinux2014 wheels.
_GLIBC = "2.17"
_TRIPLES = {
    "x86_64": f"x86_64-linux-gnu.{_GLIBC}",
    "aarch64": f"aarch64-linux-gnu.{_GLIBC}",
    "armv7l": f"arm-linux-gnueabihf.{_GLIBC}",
}
# Tables for unwinding would need a function of libgcc, which not every process has.
_FLAGS = ("-std=c11", "-O2", "-fPIC", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables")


def pool_object(machine: str, folder: Path) -> Path:
    """Compile `tvmlcnn/runtime/c/pool.c` into an object file in ``folder``, and return its path.

    Parameters
    ----------
    machine : str
        ``"x86_64"``, ``"aarch64"`` or ``"armv7l"``.
    folder : Path

    Raises
    ------
    UserError
        If ziglang is not installed.
    """
    path = folder / "pool.o"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", _TRIPLES[machine], *_FLAGS]
    # zig would keep a cache in the home folder, which may not be writable.
    cache = str(folder / "zig")
    done = subprocess.run(
        [*command, "-c", str(SOURCE), "-o", str(path)],
        env=os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        if "No module named ziglang" in done.stderr:
            raise UserError("no compiler: pip install 'tvmlcnn[compile]' (it brings ziglang)")
        raise RuntimeError(f"zig cc failed ({done.returncode}): {done.stderr.strip()}")
    return path
