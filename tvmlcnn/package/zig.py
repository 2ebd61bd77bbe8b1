"""Running zig, whose compiler and linker make files for every machine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tvmlcnn.errors import UserError


def run_zig(arguments: Sequence[str]) -> None:
    """Run one of zig's programs, as ``["cc", ...]`` or ``["ld.lld", ...]``.

    What its compiler keeps, so that the same is not compiled twice, lies in the user's cache
    folder, or nowhere where that cannot be written.

    Raises
    ------
    UserError
        If ziglang is not installed.
    RuntimeError
        If the program fails.
    """
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        raise UserError(
            "no compiler and linker: pip install 'tvmlcnn[compile]' (it brings ziglang)"
        )
    zig = Path(found.origin).with_name("zig")
    with tempfile.TemporaryDirectory(prefix="tvmlcnn-zig-") as nowhere:
        cache = _cache() or nowhere
        caches = {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
        done = subprocess.run(
            [zig, *arguments], env=os.environ | caches, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(f"zig {arguments[0]} failed ({done.returncode}): {done.stderr.strip()}")


def _cache() -> Path | None:
    """Return a folder of what may be deleted any time, by the XDG base directory specification."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        folder = (given if given.is_absolute() else Path.home() / ".cache") / "tvmlcnn" / "zig"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home folder, or one that cannot be written
        return None
    return folder if os.access(folder, os.W_OK) else None
