"""The server on a board: lends the board to one client at a time, a process for each session.

A client takes the board first (a lease), over a connection that stays open; when that closes, the
board is free. For each session it connects again, with a token that it got. The session's process
is a fork of this one, which has loaded all that it needs: it is there in milliseconds, on a slow
board too, and a kernel that crashes or hangs ends no more than itself.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import secrets
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from . import functions, protocol, wire
from .registration import Registration
from .tvm_runtime import load_runtime

_PATIENCE = 3.0  # seconds for a client's next message, once it has begun one
_LONGEST = 3600.0  # seconds that one wait may take; more than 24 days are too many for epoll
_PR_SET_PDEATHSIG = 1


@dataclass
class _Process:
    """A session's process, a group of its own, with the folder of its files and its deadline."""

    pid: int
    folder: str
    deadline: float

    def end(self, grace: float) -> dict[str, Any]:
        """Wait ``grace`` seconds for its end, then kill it; return how it ended by itself."""
        deadline = time.monotonic() + grace
        while not (ended := os.waitpid(self.pid, os.WNOHANG))[0] and time.monotonic() < deadline:
            time.sleep(0.002)
        if not ended[0]:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what the session may have started
        shutil.rmtree(self.folder, ignore_errors=True)
        signaled = os.WIFSIGNALED(ended[1])
        return {
            "timed_out": False,
            "signal": os.WTERMSIG(ended[1]) if signaled else 0,
            "exit": 0 if signaled else os.WEXITSTATUS(ended[1]),
        }


_NOTHING = {"timed_out": False, "signal": 0, "exit": 0}


class Server:
    """Serves a listening socket.

    Parameters
    ----------
    listener : socket.socket
    facts : dict
        What clients are told of this machine.
    registration : Registration, optional
        With the tracker that lends the board. Without one, whoever connects first has it.
    key : str
        What a client has to know where there is no registration.
    until_eof : bool
        End when standard input ends: with the program that started the server.
    """

    def __init__(
        self,
        listener: socket.socket,
        facts: dict[str, Any],
        registration: Registration | None = None,
        key: str = "",
        until_eof: bool = False,
    ) -> None:
        load_runtime()
        self._listener = listener
        self._registration = registration
        self._key = key
        self._facts = facts
        self._lease: socket.socket | None = None
        self._token = ""
        self._process: _Process | None = None
        self._how = _NOTHING  # the session ended that the client has not asked for yet
        self._ended = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        if until_eof:
            self._selector.register(sys.stdin, selectors.EVENT_READ, self._read_input)

    def serve(self) -> None:
        """Serve until the end of standard input, or an exception such as KeyboardInterrupt."""
        with ExitStack() as stack:
            stack.callback(self._selector.close)
            stack.callback(self._listener.close)
            if self._registration:
                stack.callback(self._registration.close)
            stack.callback(self._end_lease)
            while not self._ended:
                for key, _ in self._selector.select(self._pause()):
                    key.data()

    def _pause(self) -> float | None:
        """Do what is due; return the seconds until the next is."""
        pauses = []
        if self._registration:
            pauses.append(self._registration.refresh(bool(self._lease)))
        if self._process:
            left = self._process.deadline - time.monotonic()
            if left <= 0:
                self._end_session(0)
                self._how = _NOTHING | {"timed_out": True}
            else:
                pauses.append(left)
        pause = min(pauses, default=math.inf)
        return None if pause == math.inf else min(pause, _LONGEST)

    def _read_input(self) -> None:
        self._ended = not os.read(sys.stdin.fileno(), 1 << 12)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(_PATIENCE)
        try:
            wire.tune(connection)
            key, seconds = protocol.read_session_key(wire.receive_greeting(connection))
            if self._lease and secrets.compare_digest(key.encode(), self._token.encode()):
                wire.answer_greeting(connection, wire.ACCEPTED)
                self._start_session(connection, seconds)
                connection.close()
                return
            if key != (self._registration.match_key if self._registration else self._key):
                wire.answer_greeting(connection, wire.MISMATCH)
            elif self._lease:
                wire.answer_greeting(connection, wire.BUSY)
            else:
                self._token = secrets.token_hex(16)
                wire.answer_greeting(connection, wire.ACCEPTED)
                hello = {"protocol": protocol.VERSION, "token": self._token, "facts": self._facts}
                wire.send_json(connection, hello)
                self._lease = connection
                self._selector.register(connection, selectors.EVENT_READ, self._hear)
                return
        except (OSError, ValueError):
            pass
        connection.close()

    def _hear(self) -> None:
        """Answer the client that has the board: it ends its session, or is gone."""
        assert self._lease
        try:
            grace = float(wire.receive_json(self._lease)["end"])
            wire.send_json(self._lease, self._end_session(grace))
        except (OSError, ValueError, TypeError, KeyError):
            self._end_lease()

    def _end_lease(self) -> None:
        self._end_session(0)
        if self._lease:
            self._selector.unregister(self._lease)
            self._lease.close()
            self._lease = None

    def _end_session(self, grace: float) -> dict[str, Any]:
        process, self._process = self._process, None
        how, self._how = self._how, _NOTHING
        return process.end(grace) if process else how

    def _start_session(self, connection: socket.socket, seconds: float) -> None:
        self._end_session(0)
        folder = tempfile.mkdtemp(prefix="tvmlcnn-")
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            inherited = (self._selector, self._listener, self._lease, self._registration)
            _session(connection, Path(folder), server, [item.close for item in inherited if item])
        self._process = _Process(pid, folder, time.monotonic() + seconds)


def _session(
    connection: socket.socket, folder: Path, server: int, close: list[Callable[[], None]]
) -> NoReturn:
    """Serve one session and exit: what runs in its process."""
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
