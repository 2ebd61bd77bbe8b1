"""The files and folders of a user: read where they are regular, written whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tvmlcnn.errors import UserError

# Names of what is no file, but goes on to wherever the output of this process goes.
_STREAMS = frozenset(map(Path, ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")))
_SPECIAL = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))
"""What the system says where a file cannot grow: full, over a quota or a limit, not for writing."""


def is_stream(path: Path) -> bool:
    """Return whether a path stands for the output of this process."""
    return path in _STREAMS


def refuse_special(path: str | Path) -> None:
    """Raise a UserError where a path can be no file: reading a pipe or a device might never end.

    Of what is not there, whoever opens it says so.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # which pathlib, asked whether it is there, raises
            raise UserError(f"{path}: {error.strerror}") from error
        return
    except ValueError as error:  # a zero in it
        raise UserError(f"{str(path)!r} is no name of a file") from error
    for is_one, what in _SPECIAL:
        if is_one(mode):
            raise UserError(f"{path} is {what}; name a file")


def check_writable(path: Path, *, stream: bool = False) -> None:
    """Raise a UserError where ``path`` cannot be written, before work is spent on its content.

    Parameters
    ----------
    path : Path
    stream : bool
        Whether it may be the output of this process, ``-``.
    """
    if stream and is_stream(path):
        return
    target = _destination(path)
    folder = target.parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        problem = f"the folder {folder} does not exist; create it or choose another"
    elif target.is_dir():
        problem = f"{path} is a folder; name a file"
    elif not os.access(folder, os.W_OK):
        problem = f"the folder {folder} cannot be written to; choose another"
    elif target.exists() and not os.access(target, os.W_OK):
        problem = f"{path} may not be written to; choose another"
    else:
        return
    raise UserError(problem, parameters=("output",))


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, stream: bool = False) -> None:
    """Write a file beside ``path`` and rename it when it is complete and on the disk.

    A link stays one: what it points to is written.

    Parameters
    ----------
    path : Path
        Where a former file stays as it is until the new one is complete; its permissions are kept.
    write : callable
        Gets the open file.
    stream : bool
        Whether ``path`` may be ``-``, the output of this process.

    Raises
    ------
    UserError
        If the disk is full, the folder cannot be written to, or ``path`` is a device, a pipe or a
        socket.
    """
    if stream and is_stream(path):
        _write_stream(write)
        return
    target = _destination(path)
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        # Its name is short, so that the file's own may have all the letters that a name can have.
        handle, name = tempfile.mkstemp(prefix=".tvmlcnn-", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.umask(mask := os.umask(0))
            temporary.chmod(0o666 & ~mask if mode is None else mode)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_folder(path: Path, fill: Callable[[Path], object]) -> None:
    """Fill a new folder beside ``path`` and rename it when it is complete.

    Parameters
    ----------
    path : Path
        Does not exist, or is an empty folder, or a link to such a one.
    fill : callable
        Gets the new folder.

    Raises
    ------
    UserError
        If there is something at ``path`` already, the disk is full, or the folder around it cannot
        be written to.
    """
    target = _destination(path)
    if target.is_dir() and any(target.iterdir()):
        problem = f"the folder {path} is not empty; choose another or remove it"
        raise UserError(problem, parameters=("output",))
    if target.exists() and not target.is_dir():
        raise UserError(f"{path} is a file; name a folder", parameters=("output",))
    try:
        with tempfile.TemporaryDirectory(prefix=".tvmlcnn-", dir=target.parent) as around:
            new = Path(around, "new")
            new.mkdir()
            fill(new)
            new.replace(target)
    except OSError as error:
        raise _unwritable(path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder, and those around it, where there is none.

    Raises
    ------
    UserError
        If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path}: {_reason(error)}") from error


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """Have a folder for what is not kept while the ``with`` block runs.

    Raises
    ------
    UserError
        If it cannot be made, or there is no room for what the block writes.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        raise UserError(
            f"no folder for temporary files can be made ({_reason(error)}); set TMPDIR to one "
            "that can be written to"
        ) from error
    try:
        with folder as name:
            yield Path(name)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise no_room(error.errno) from error


def no_room(number: int) -> UserError:
    """Return what to say where a temporary file cannot grow, by the number of a system's error."""
    return UserError(
        f"cannot write temporary files in {tempfile.gettempdir()}: {os.strerror(number)}; make "
        "room there or set TMPDIR to another folder"
    )


def _destination(path: Path) -> Path:
    """Return the regular file, or the folder, that a path leads to, or the place for a new one."""
    if is_stream(path):
        problem = f"{path} is the output of this process, which is no file; name a file"
        raise UserError(problem, parameters=("output",))
    refuse_special(path)
    target = Path(os.path.realpath(path))
    try:
        found = path.stat()
    except FileNotFoundError:
        return target
    except OSError as error:
        raise _unwritable(path, error) from error
    # What /proc shows of an open file may have no name any more, or another's.
    if not (target.exists() and os.path.samestat(found, target.stat())):
        raise UserError(f"{path} is a file without a name; name one", parameters=("output",))
    return target


def _write_stream(write: Callable[[BinaryIO], object]) -> None:
    if sys.stdout is None:
        raise UserError("the output of this process is closed; name a file")
    content = io.BytesIO()  # numpy wants to know where in a file it is
    write(content)
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(content.getbuffer())
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable("the output", error) from error


def _unwritable(path: str | Path, error: OSError) -> UserError:
    return UserError(f"cannot write {path}: {_reason(error)}", parameters=("output",))


def _reason(error: OSError) -> str:
    # numpy's errors have no number: so many bytes requested, so many written.
    return error.strerror or "there is no room for all of it"
