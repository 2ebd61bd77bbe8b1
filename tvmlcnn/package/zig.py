"""Running zig, whose compiler and linker make files for every machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tvmlcnn.errors import UserError

_CACHES = ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")


def run_zig(arguments: list[str], cache: Path | None = None) -> None:
    """Run one of zig's programs, as ``["cc", ...]`` or ``["ld.lld", ...]``.

    Parameters
    ----------
    arguments : list of str
    cache : Path, optional
        Folder that its compiler may keep files in, instead of the home folder, which may not be
        writable.

    Raises
    ------
    UserError
        If ziglang is not installed.
    RuntimeError
        If the program fails.
    """
    caches = {} if cache is None else dict.fromkeys(_CACHES, str(cache))
    # Else what lies in the working folder, as a types.py, would go before Python's own modules.
    safe = {"PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", *arguments],
        env=os.environ | caches | safe,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        if "No module named ziglang" in done.stderr:
            raise UserError(
                "no compiler and linker: pip install 'tvmlcnn[compile]' (it brings ziglang)"
            )
        raise RuntimeError(f"zig {arguments[0]} failed ({done.returncode}): {done.stderr.strip()}")
