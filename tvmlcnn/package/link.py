"""Linking object files into a shared library, for any machine, with ziglang's lld."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tvmlcnn.errors import UserError


def link(objects: list[Path], output: Path) -> None:
    """Link object files of one machine into ``output``.

    The library names no library that it needs: the C library and libm, whose functions kernels
    may call, are in every process that loads it.

    Raises
    ------
    UserError
        If ziglang is not installed.
    """
    command = [sys.executable, "-m", "ziglang", "ld.lld", "-shared", "-z", "noexecstack"]
    done = subprocess.run(
        [*command, "-o", str(output), *map(str, objects)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        if "No module named ziglang" in done.stderr:
            raise UserError("no linker: pip install 'tvmlcnn[compile]' (it brings ziglang)")
        raise RuntimeError(f"lld failed ({done.returncode}): {done.stderr.strip()}")
