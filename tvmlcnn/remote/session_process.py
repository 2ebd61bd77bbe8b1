"""The process of a session: a fork of the server, which has loaded all that a session needs."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from . import functions
from .protocol import Ended
from .tvm_runtime import load_runtime

_PR_SET_PDEATHSIG = 1
# Seconds until a fork serves, which takes milliseconds: one that inherits a lock which another
# thread held (an emulator's threads do) never does.
_STARTING = 20.0


@dataclass
class SessionProcess:
    """A session's process, a group of its own, with the folder of its files.

    Attributes
    ----------
    pid : int
    folder : str
    deadline : float
        When its time is up, by `time.monotonic`.
    """

    pid: int
    folder: str
    deadline: float
    _seconds: float
    _starting: int | None
    _status: int | None = None

    def is_starting(self) -> bool:
        """Tell whether it cannot serve yet; its seconds count from when it can."""
        if self._starting is not None:
            try:
                os.read(self._starting, 1)
            except BlockingIOError:
                return True
            self.deadline = time.monotonic() + self._seconds
            self._close()
        return False

    def _close(self) -> None:
        if self._starting is not None:
            os.close(self._starting)
            self._starting = None

    def has_ended(self) -> bool:
        """Tell whether it has ended by itself."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def end(self) -> Ended:
        """Kill what is left of it, and return how it ended by itself, where it did."""
        self._close()
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
    connection: socket.socket, close: Sequence[Callable[[], None]], seconds: float
) -> SessionProcess:
    """Start the process that serves a connection.

    Parameters
    ----------
    connection : socket.socket
        The caller closes its own copy.
    close : sequence of callable
        Close what the process inherits and must not keep.
    seconds : float
        That it may serve.

    Raises
    ------
    OSError
        If there is no room for its files, or for another process.
    """
    with ExitStack() as stack:
        folder = tempfile.mkdtemp(prefix="tvmlcnn-")
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        starting, serving = os.pipe()
        stack.callback(os.close, starting)
        os.set_blocking(starting, False)
        server = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                started = partial(os.close, serving)
                _serve(
                    connection, Path(folder), server, [*close, partial(os.close, starting)], started
                )
        finally:
            os.close(serving)
        stack.pop_all()
    return SessionProcess(pid, folder, time.monotonic() + _STARTING, seconds, starting)


def _serve(
    connection: socket.socket,
    folder: Path,
    server: int,
    close: Sequence[Callable[[], None]],
    started: Callable[[], None],
) -> NoReturn:
    """Serve one session and exit; ``started`` is called when it can."""
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
        started()
        load_runtime().get_global_func("rpc.ServerLoop")(connection.fileno())
        os._exit(0)
    finally:
        os._exit(1)
