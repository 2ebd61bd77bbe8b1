"""The process of a session: a fork of the server, which has loaded all that a session needs."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from . import functions
from .protocol import Ended
from .tvm_runtime import load_runtime

_PR_SET_PDEATHSIG = 1


@dataclass
class SessionProcess:
    """A session's process, a group of its own, with the folder of its files and its deadline."""

    pid: int
    folder: str
    deadline: float
    _status: int | None = None

    def has_ended(self) -> bool:
        """Tell whether it has ended by itself."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def end(self) -> Ended:
        """Kill what is left of it, and return how it ended by itself, where it did."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what the session may have started
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._status is None:
            return Ended()
        if os.WIFSIGNALED(self._status):
            return Ended(signal=os.WTERMSIG(self._status))
        return Ended(exit=os.WEXITSTATUS(self._status))


def start(
    connection: socket.socket, close: Sequence[Callable[[], None]], deadline: float
) -> SessionProcess:
    """Start the process that serves a connection.

    Parameters
    ----------
    connection : socket.socket
        The caller closes its own copy.
    close : sequence of callable
        Close what the process inherits and must not keep.
    deadline : float
        By `time.monotonic`.

    Raises
    ------
    OSError
        If there is no room for its files, or for another process.
    """
    folder = tempfile.mkdtemp(prefix="tvmlcnn-")
    server = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if pid == 0:
        _serve(connection, Path(folder), server, close)
    return SessionProcess(pid, folder, deadline)


def _serve(
    connection: socket.socket, folder: Path, server: int, close: Sequence[Callable[[], None]]
) -> NoReturn:
    """Serve one session and exit."""
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGSEGV):
            signal.signal(number, signal.SIG_DFL)  # TVM's handler would print a backtrace
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for close_inherited in close:
            close_inherited()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        functions.register(folder)
        connection.setblocking(True)
        load_runtime().get_global_func("rpc.ServerLoop")(connection.fileno())
        os._exit(0)
    finally:
        os._exit(1)
