"""Runs ``tvmlcnn`` on a line of arguments, each in a process that is forked from this one.

``python -m tools.attack.command_line``: a line of JSON comes for each, and one goes back. What is
slow to import is imported once, before.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from .verdict import ANSWERED, CRASHED, HUNG, WRONG

SECONDS = 60.0
"""In which a command has to end; all that is asked of it takes a few."""
_MEMORY = 16 << 30  # of addresses
_IMPORTED = ("torch", "tvm", "tvmlcnn.cli.compile", "tvmlcnn.compiler", "PIL.Image")


def question(
    arguments: Sequence[str],
    folder: Path,
    stdout: str = "file",
    file_size: int | None = None,
    temporary: str = "",
) -> dict[str, Any]:
    """Return what to ask this process.

    Parameters
    ----------
    arguments : sequence of str
        Of ``tvmlcnn``.
    folder : Path
        To work in.
    stdout : str
        ``file``, ``full`` (a full disk) or ``closed``.
    file_size : int, optional
        The most bytes of a file.
    temporary : str
        The folder for temporary files; by default the usual one.
    """
    return {
        "arguments": list(arguments),
        "folder": str(folder),
        "stdout": stdout,
        "file_size": file_size,
        "temporary": temporary,
    }


def judged(asked: dict[str, Any]) -> tuple[str, str]:
    """Run a command; return its outcome and what it said."""
    home, printed, said = Path(tempfile.mkdtemp(prefix="attack-")), _pipe(), _pipe()
    pid = os.fork()
    if pid == 0:  # which leaves here as the interpreter ends, and may remove nothing of ours
        _run(asked, home, printed[1], said[1])
    try:
        status = _waited(pid)
        out, err = _text(printed), _text(said)
    finally:
        shutil.rmtree(home)
    if status is None:
        return HUNG, f"no end in {SECONDS:g} s"
    lines = [line for line in err.splitlines() if line.strip()]
    if os.WIFSIGNALED(status):
        return CRASHED, " ".join((signal.Signals(os.WTERMSIG(status)).name, *lines[-1:]))
    errors, code = [line for line in lines if line.startswith("error: ")], os.WEXITSTATUS(status)
    if code == 130 and lines[-1:] == ["interrupted"]:  # by code that raises KeyboardInterrupt
        return ANSWERED, "interrupted"
    if "Traceback" in err or code not in (0, 2) or (code == 2 and len(errors) != 1):
        return CRASHED, "\n".join((f"exit {code}: {''.join(lines[-1:])}", err[-2000:]))
    if code == 2:
        return ANSWERED, errors[0]
    if asked["stdout"] == "file" and "--json" in asked["arguments"]:
        return _is_json(out)
    return ANSWERED, "done"


def _pipe() -> tuple[int, int]:
    """Return a pipe that holds all that a command prints: files may be limited."""
    pipe = os.pipe()
    fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, 1 << 20)
    os.set_blocking(pipe[0], False)
    return pipe


def _text(pipe: tuple[int, int]) -> str:
    os.close(pipe[1])
    content = b""
    with os.fdopen(pipe[0], "rb", buffering=0) as file:
        while piece := file.read(1 << 20):
            content += piece
    return content.decode("utf-8", "replace")


def _is_json(text: str) -> tuple[str, str]:
    try:
        json.loads(text, parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError):
        return WRONG, f"stdout is no JSON: {text[:200]!r}"
    return ANSWERED, "done"


def _waited(pid: int) -> int | None:
    """Return how a process ended; None where it had to be ended."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            _kill_group(pid)  # what it has left
            return status
        time.sleep(0.005)
    _kill_group(pid)
    os.waitpid(pid, 0)
    return None


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _run(asked: dict[str, Any], home: Path, stdout: int, stderr: int) -> NoReturn:
    """Become ``tvmlcnn``, which ends as the interpreter does."""
    os.setsid()
    os.chdir(asked["folder"])
    os.environ |= {"HOME": str(home), "XDG_DATA_HOME": str(home)}
    if asked["temporary"]:
        os.environ["TMPDIR"], tempfile.tempdir = asked["temporary"], None
    _streams(asked["stdout"], home, stdout, stderr)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if asked["file_size"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["file_size"],) * 2)
    sys.argv = ["tvmlcnn", *asked["arguments"]]
    from tvmlcnn.cli import main

    try:
        main()
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.exit(1)


def _streams(kind: str, home: Path, stdout: int, stderr: int) -> None:
    """Have stdin be an empty file, so that nothing is there to be replaced."""
    if kind == "full":
        stdout = os.open("/dev/full", os.O_WRONLY)
    for number, handle in enumerate((os.open(home / "in", os.O_RDWR | os.O_CREAT), stdout, stderr)):
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin, sys.stdout = _stream(0, "r"), _stream(1, "w")
    sys.stderr = _stream(2, "w")
    if kind == "closed":
        os.close(1)
        sys.stdout = None  # type: ignore[assignment]  # as the interpreter has it
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]


def _stream(number: int, mode: str) -> Any:
    return open(number, mode, closefd=False, buffering=1, errors="backslashreplace")


def _main() -> None:
    questions, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # a child that looks at all of it would copy it
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for line in questions:
        outcome, said = judged(json.loads(line))
        print(json.dumps({"outcome": outcome, "said": said}), file=answers, flush=True)


if __name__ == "__main__":
    _main()
