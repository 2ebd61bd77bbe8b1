"""A message that arrives piece by piece, while others are served."""

from __future__ import annotations

import math
import socket
import time

from . import wire

_PATIENCE = 3.0  # seconds for the rest of a message, once it has begun
_LONGEST = 1 << 12  # bytes; keys have some hundred


class Incoming:
    """The next message of a connection.

    Parameters
    ----------
    connection : socket.socket
    greeting : bool
        It is a greeting, which is waited for from now on; else messages may come at any time.

    Attributes
    ----------
    connection : socket.socket
    deadline : float
        By `time.monotonic`: when the message has to be here as a whole.
    """

    def __init__(self, connection: socket.socket, greeting: bool = False) -> None:
        self.connection = connection
        self.deadline = time.monotonic() + _PATIENCE if greeting else math.inf
        self._prefix = wire.int_bytes(wire.MAGIC) if greeting else b""
        self._data = bytearray()

    def read(self) -> bytes | None:
        """Take a piece, of a connection that has one; return the message when it is complete.

        Raises
        ------
        OSError
            If the connection ended, or speaks something else.
        """
        if not self._data and self.deadline == math.inf:
            self.deadline = time.monotonic() + _PATIENCE
        head = len(self._prefix) + wire.INT_BYTES
        whole = head + self._size(head) if len(self._data) >= head else head
        # No more than belongs to it: what follows a greeting is for TVM.
        piece = self.connection.recv(whole - len(self._data))
        if not piece:
            raise ConnectionResetError("it closed the connection")
        self._data += piece
        if len(self._data) < head or len(self._data) < head + self._size(head):
            return None
        content = bytes(self._data[head:])
        self._data.clear()
        self.deadline = math.inf
        return content

    def _size(self, head: int) -> int:
        """Return how many bytes follow the head."""
        size = wire.read_int(self._data[head - wire.INT_BYTES : head])
        if not self._data.startswith(self._prefix) or not 0 <= size <= _LONGEST:
            raise OSError("it speaks another protocol")
        return size
