"""Running zig, whose compiler and linker make files for every machine."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tvmlcnn.errors import UserError
from tvmlcnn.files import NO_ROOM, scratch

# What LLVM's and zig's programs call it.
_FULL = {
    **{os.strerror(number): number for number in sorted(NO_ROOM)},
    "NoSpaceLeft": errno.ENOSPC,
    "DiskQuota": errno.EDQUOT,
    "FileTooBig": errno.EFBIG,
    "ReadOnlyFileSystem": errno.EROFS,
}
_LITTLE = 64 << 20
"""Bytes: no file that zig writes is larger but those with the weights of large networks."""


def run_zig(arguments: Sequence[str]) -> None:
    """Run one of zig's programs, as ``["cc", ...]`` or ``["ld.lld", ...]``.

    What its compiler keeps, so that the same is not compiled twice, lies in the user's cache
    folder, or nowhere where that cannot be written.

    Raises
    ------
    UserError
        If ziglang is not installed, or there is no room for what it writes.
    RuntimeError
        If the program fails.
    """
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        raise UserError(
            "no compiler and linker: pip install 'tvmlcnn[compile]' (it brings ziglang)"
        )
    zig = Path(found.origin).with_name("zig")
    with scratch("tvmlcnn-zig-") as nowhere:
        cache = _cache() or nowhere
        caches = {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
        done = subprocess.run(
            [zig, *arguments],
            env=os.environ | caches,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            restore_signals=False,  # a file that outgrows a limit is an error then, and no signal
        )
        number = full(done.stderr) if done.returncode else None
        if done.returncode < 0 and not number:  # what it has mapped has no room behind it
            free = min(shutil.disk_usage(folder).free for folder in (nowhere, cache))
            number = errno.ENOSPC if free < _LITTLE else None
    if number:
        raise UserError(
            f"zig cannot write files in {tempfile.gettempdir()} or {cache}: "
            f"{os.strerror(number)}; make room there, or set TMPDIR or XDG_CACHE_HOME"
        )
    if done.returncode:
        raise RuntimeError(f"zig {arguments[0]} failed ({done.returncode}): {done.stderr.strip()}")


def full(said: str) -> int | None:
    """Return the number of the system's error where a compiler says that it could not write."""
    return next((number for words, number in _FULL.items() if words in said), None)


def _cache() -> Path | None:
    """Return a folder of what may be deleted any time, by the XDG base directory specification."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        folder = (given if given.is_absolute() else Path.home() / ".cache") / "tvmlcnn" / "zig"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home folder, or one that cannot be written
        return None
    return folder if os.access(folder, os.W_OK) else None
