"""A file of JSON lines that is only ever added to, and survives what can happen to its writers."""

from __future__ import annotations

import errno
import fcntl
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tvmlcnn.errors import UserError
from tvmlcnn.files import refuse_special, write_whole

_DEEPEST = 16  # of nested lists and objects; a trace of TVM's in a record has 5
_MOST_DIGITS = 19  # of an integer of 64 bits


@dataclass(frozen=True)
class Lines:
    """What a journal holds.

    Attributes
    ----------
    objects : list of (int, JSON value)
        Each line's number, from 1, and value.
    broken : list of str
        ``file:line: what is wrong`` for each line that is no JSON. A last line without an end is
        what an interrupted writer leaves, and is not told here.
    cut : bool
        Whether there is such a line.
    """

    objects: list[tuple[int, Any]]
    broken: list[str]
    cut: bool


def read(path: Path) -> Lines:
    """Read a journal, or what is whole of it; one that does not exist is empty.

    Raises
    ------
    UserError
        If the file is there and cannot be read.
    """
    refuse_special(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return _parsed(path, content)


def append(path: Path, objects: Iterable[Any]) -> None:
    """Add a line for each object: all of them or none, and on the disk when this returns.

    Several processes may append to one file. A line that a killed writer left without its end is
    ended if it is whole; a part of a line, which its writer was never told to be safe, is removed.

    Raises
    ------
    UserError
        If the disk is full or the file cannot be written; it is then as it was before.
    """
    content = _text(objects)
    if not content:
        return
    with _locked(path) as file:
        size = os.fstat(file).st_size
        try:
            size = _mended(file, size)
            # One write; where it comes out short, the next one says why.
            while content:
                content = content[os.write(file, content) :]
            os.fsync(file)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(file, size)
            raise _unwritable(path, error) from error


def rewrite(path: Path, change: Callable[[Lines], Iterable[Any]]) -> None:
    """Replace a journal by what ``change`` makes of its lines, whole or not at all.

    Writers that append meanwhile wait, and add to the new file. Where nothing changes, or there
    is no file, nothing is written.

    Raises
    ------
    UserError
        If the disk is full or the folder cannot be written to.
    """
    if not path.exists():
        return
    with _locked(path):
        content = _text(change(read(path)))
        if content != path.read_bytes():
            write_whole(path, lambda file: file.write(content))


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Open the file, made where it is missing, for this process alone."""
    refuse_special(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _open_locked(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield file
    finally:
        os.close(file)


def _open_locked(path: Path) -> int:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            # While this process waited another may have put a new file in its place.
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _mended(file: int, size: int) -> int:
    """End or remove a last line without an end; return the new size of the file."""
    tail = b""
    start = size
    while start and b"\n" not in tail:
        start = max(0, start - 65536)
        tail = os.pread(file, size - start, start)
    tail = tail.rpartition(b"\n")[2]
    if not tail:
        return size
    if _is_json(tail):
        return size + os.write(file, b"\n")
    os.ftruncate(file, size - len(tail))
    return size - len(tail)


def _parsed(path: Path, content: bytes) -> Lines:
    objects = []
    broken = []
    *lines, last = content.split(b"\n")
    cut = bool(last) and not _is_json(last)
    for number, line in enumerate(lines if cut else [*lines, last], 1):
        if not line.strip():
            continue
        try:
            objects.append((number, _loads(line)))
        except (ValueError, RecursionError) as error:
            broken.append(f"{path}:{number}: no JSON: {error}")
    return Lines(objects, broken, cut)


def _is_json(line: bytes) -> bool:
    try:
        _loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _loads(line: bytes) -> Any:
    """Return a line's value, whose numbers are finite and whose nesting ends soon."""
    value = json.loads(
        line.decode(), parse_constant=_refuse, parse_float=_float, parse_int=_integer
    )
    if _depth(value) > _DEEPEST:
        raise ValueError("it is nested too deeply")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant:.20} is no number")


def _float(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _integer(text: str) -> int:
    return int(text) if len(text) <= _MOST_DIGITS else _refuse(f"{text[:8]}...")


def _depth(value: Any) -> int:
    """Return how deep lists and objects are nested, as far as that is allowed, and one more."""
    depth, level = 0, [value]
    while level and depth <= _DEEPEST:
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict | list):
                below += each.values() if isinstance(each, dict) else each
        depth, level = depth + 1, below
    return depth


def _text(objects: Iterable[Any]) -> bytes:
    return "".join(json.dumps(value, allow_nan=False) + "\n" for value in objects).encode()


def _unwritable(path: Path, error: OSError) -> UserError:
    problem = f"cannot write {path}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return UserError(
            f"{problem}; what was there before is kept: make room and run the same command again"
        )
    return UserError(f"{problem}; choose another folder", parameters=("records",))
