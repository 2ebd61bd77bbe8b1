"""The connection that TVM's client makes, and a hand on it.

TVM's client, in C++, keeps its socket to itself, and what waits for the board's answer can neither
be interrupted nor given a deadline; freeing a remote object even waits with Python's lock held. So
the server ends a session in time, the kernel notices a board that is gone (keepalive), and, as a
last resort, the socket is shut down from here.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from contextlib import suppress
from typing import Any

from . import wire
from .tvm_runtime import load_runtime

_connecting = threading.Lock()


class Connection:
    """A session's connection.

    Parameters
    ----------
    address : (str, int)
    key : str
        What the server expects, with options.
    timeout : float, optional
        Seconds after which the connection is cut.

    Attributes
    ----------
    remote : tvm_ffi.Module
        TVM's client: functions of the board by name.
    """

    def __init__(self, address: tuple[str, int], key: str, timeout: float | None) -> None:
        connect = load_runtime().get_global_func("rpc.Connect")
        with _connecting:
            before = _streams(address[1])
            self.remote: Any = connect(*address, key, False)
            after = _streams(address[1])
            (mine,) = after.keys() - before.keys()
            self._socket = socket.socket(fileno=os.dup(after[mine]))
        wire.tune(self._socket)
        self._timer = None if timeout is None else threading.Timer(timeout, self._cut)
        if self._timer:
            self._timer.daemon = True
            self._timer.start()

    def _cut(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut the connection; remote objects may be freed later, without effect."""
        if self._timer:
            self._timer.cancel()
        self._cut()
        self._socket.close()


def _streams(port: int) -> dict[Any, int]:
    """Return this process's connections to a port: their own address and file descriptor."""
    found = {}
    for name in os.listdir("/dev/fd"):
        with suppress(OSError, IndexError):
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                with socket.socket(fileno=os.dup(int(name))) as copy:
                    if copy.getpeername()[1] == port:
                        found[copy.getsockname()] = int(name)
    return found
