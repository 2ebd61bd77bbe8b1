"""Writing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tvmlcnn.errors import UserError


def check_writable(path: Path) -> None:
    """Raise a UserError where ``path`` cannot be written, before work is spent on its content."""
    folder = path.parent
    if not folder.is_dir():
        problem = f"the folder {folder} does not exist; create it or choose another"
    elif path.is_dir():
        problem = f"{path} is a folder; name a file"
    elif not os.access(folder, os.W_OK):
        problem = f"the folder {folder} cannot be written to; choose another"
    else:
        return
    raise UserError(problem, parameters=("output",))


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file beside ``path`` and rename it when it is complete and on the disk.

    Parameters
    ----------
    path : Path
        Where a former file stays as it is until the new one is complete.
    write : callable
        Gets the open file.

    Raises
    ------
    UserError
        If the disk is full or the folder cannot be written to.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.umask(mask := os.umask(0))
            temporary.chmod(0o666 & ~mask)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def write_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Fill a new folder beside ``path`` and rename it when it is complete.

    Parameters
    ----------
    path : Path
        Does not exist, or is an empty folder.
    fill : callable
        Gets the new folder.

    Raises
    ------
    UserError
        If there is something at ``path`` already, the disk is full, or the folder around it cannot
        be written to.
    """
    if path.is_dir() and any(path.iterdir()):
        problem = f"the folder {path} is not empty; choose another or remove it"
        raise UserError(problem, parameters=("output",))
    if not path.is_dir() and (path.exists() or path.is_symlink()):
        raise UserError(f"{path} is a file; name a folder", parameters=("output",))
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
            new = Path(scratch, "new")
            new.mkdir()
            fill(new)
            new.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
