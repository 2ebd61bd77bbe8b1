"""The bytes on the wire: addresses, TVM's handshake, and messages of JSON.

The handshake and the messages are those of TVM's RPC (``tvm/rpc/base.py``): a magic number, then
the length of a key and the key; JSON after its length. Numbers are little-endian int32.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from typing import Any

from tvmlcnn.errors import UserError

MAGIC = 0xFF271
ACCEPTED, BUSY, MISMATCH = MAGIC, MAGIC + 1, MAGIC + 2
NO_SECRET = MAGIC + 3  # which is not TVM's: the client does not know what every client has to know
TRACKER_MAGIC = 0x2F271

PATIENCE = 10.0
"""Seconds for an answer that takes no work."""

_INT = struct.Struct("<i")
INT_BYTES = _INT.size
_LONGEST = 1 << 20  # bytes of a key or message; TVM's tracker has the same limit
_LONGEST_INT = 20  # digits; of 64 bits
# A peer that was unplugged is noticed after 10 + 3 * 5 seconds.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


def parse_address(text: str, parameter: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, the value of a parameter."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UserError(
            f"{parameter} {text!r}: give HOST:PORT, for example 192.168.1.20:9190",
            parameters=(parameter,),
        )
    return host.strip("[]"), int(port)


def text(address: tuple[str, int]) -> str:
    """Return an address as users write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def connect(address: tuple[str, int], timeout: float) -> socket.socket:
    """Return a connection whose operations give up after ``timeout`` seconds."""
    connection = socket.create_connection(address, timeout)
    tune(connection)
    return connection


def tune(connection: socket.socket) -> None:
    """Send small messages at once, and notice a peer that is gone without a word."""
    if connection.family == socket.AF_UNIX:
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def greet(connection: socket.socket, key: str) -> int:
    """Ask a server to serve ``key``; return `ACCEPTED`, or why it does not."""
    send_int(connection, MAGIC)
    _send_bytes(connection, f"client:{key}".encode())
    answer = receive_int(connection)
    if answer == ACCEPTED:
        _receive_bytes(connection)  # the server's own key
    elif answer not in (BUSY, MISMATCH, NO_SECRET):
        raise OSError("it is no RPC server of TVM")
    return answer


def read_key(greeting: bytes) -> str:
    """Return the key that a client asks for; raise ValueError where it is no text."""
    return greeting.decode().removeprefix("client:")


def answer_greeting(connection: socket.socket, answer: int, key: str = "") -> None:
    """Tell a client whether it is served."""
    send_int(connection, answer)
    if answer == ACCEPTED:
        _send_bytes(connection, f"server:{key}".encode())


def int_bytes(value: int) -> bytes:
    """Return the bytes of a number."""
    return _INT.pack(value)


def read_int(data: bytes | bytearray) -> int:
    """Return the number of so many bytes."""
    return int(_INT.unpack(data)[0])


def send_int(connection: socket.socket, value: int) -> None:
    """Send a number."""
    connection.sendall(int_bytes(value))


def receive_int(connection: socket.socket) -> int:
    """Receive a number."""
    return read_int(_receive_exactly(connection, INT_BYTES, _deadline(connection)))


def send_json(connection: socket.socket, message: Any) -> None:
    """Send a message."""
    _send_bytes(connection, json.dumps(message).encode())


def receive_json(connection: socket.socket) -> Any:
    """Receive a message; raise OSError where it is none."""
    try:
        return read_json(_receive_bytes(connection))
    except ValueError as error:
        raise OSError("it speaks another protocol") from error


def read_json(data: bytes) -> Any:
    """Return what a message says.

    Raises
    ------
    ValueError
        If it is no JSON, nested as no message is, or has numbers that no message has.
    """
    try:
        return json.loads(data, parse_constant=_finite, parse_float=_finite, parse_int=_short)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _short(text: str) -> int:
    if len(text) > _LONGEST_INT:
        raise ValueError(text)
    return int(text)


def _send_bytes(connection: socket.socket, data: bytes) -> None:
    connection.sendall(int_bytes(len(data)) + data)


def _receive_bytes(connection: socket.socket) -> bytes:
    deadline = _deadline(connection)
    size = read_int(_receive_exactly(connection, INT_BYTES, deadline))
    if not 0 <= size <= _LONGEST:
        raise OSError("it speaks another protocol")
    return _receive_exactly(connection, size, deadline)


def _deadline(connection: socket.socket) -> float:
    """Return when something has to be here as a whole that is received from now on."""
    patience = connection.gettimeout()
    return math.inf if patience is None else time.monotonic() + patience


def _receive_exactly(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = bytearray()
    patience = connection.gettimeout()
    try:
        while len(data) < size:
            if deadline != math.inf:
                connection.settimeout(max(deadline - time.monotonic(), 1e-3))
            piece = connection.recv(size - len(data))
            if not piece:
                raise ConnectionResetError("it closed the connection")
            data += piece
            if time.monotonic() > deadline and len(data) < size:
                raise TimeoutError("timed out")
    finally:
        connection.settimeout(patience)
    return bytes(data)
