"""Clients of a board's server that are wrong: noise, keys, numbers and messages of none.

After each the server has to live, to answer who comes next, and to have left no session behind.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from random import Random
from typing import Any

from tvmlcnn.remote import wire

from .verdict import ANSWERED, CRASHED, HUNG, Verdict, Verdicts

SECONDS = 20.0
"""In which who comes next has to be answered; a message may take three, and a grace five."""

Address = tuple[str, int]


def attack(numbers: Iterable[int], seed: int, address: Address) -> Verdicts:
    """Connect to a server as wrong clients do, and yield how it answered the next one.

    Parameters
    ----------
    numbers : iterable of int
        One for each client.
    seed : int
        Of all that they do.
    address : (str, int)
        Of a server that nobody else uses, and that has no token.
    """
    kinds = list(_CLIENTS)
    for number in numbers:
        kind = kinds[number % len(kinds)]
        with suppress(OSError):
            _CLIENTS[kind](address, Random(f"{seed}:{number}"))
        yield Verdict(kind, f"{seed}:{number}", *_next_one(address))


def _next_one(address: Address) -> tuple[str, str]:
    """Take the board as a client does that is right; return an outcome and what was said."""
    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            with closing(socket.create_connection(address, SECONDS)) as connection:
                answer = wire.greet(connection, "")
                if answer == wire.ACCEPTED:
                    wire.receive_json(connection)
                    return ANSWERED, "the board is free"
                if answer != wire.BUSY:
                    return CRASHED, f"answer {answer}"
        return HUNG, f"busy for {SECONDS:g} s"
    except TimeoutError:
        return HUNG, f"no answer in {SECONDS:g} s"
    except OSError as error:
        return CRASHED, str(error)


def _sized(content: bytes, random: Random) -> bytes:
    """Return a message, the size of which may be another one."""
    size = len(content) if random.random() < 0.8 else random.getrandbits(32) - (1 << 31)
    return struct.pack("<i", size) + content


def _greeting(key: bytes, random: Random) -> bytes:
    return wire.int_bytes(wire.MAGIC) + _sized(b"client:" + key, random)


def _noise(random: Random) -> bytes:
    return random.randbytes(int(2 ** (12 * random.random())))


def _number(random: Random) -> str:
    """Return a number, or what looks like one."""
    whole = str(random.getrandbits(random.choice((1, 8, 64, 1024))))
    odd = ("NaN", "-Infinity", "Infinity", "1e999", "-0.0", "-1", "1e-400", "true", "null", '"1"')
    return random.choice((whole, f"{whole}e{random.randrange(-400, 400)}", *odd))


def _message(random: Random) -> bytes:
    """Return JSON that is near to the end of a session, or far from it."""
    depth = int(2 ** (11 * random.random()))
    texts = (
        f'{{"end": {_number(random)}}}',
        f'{{"end": {"[" * depth}{"]" * depth}}}',
        f'{{"{"end" * random.randrange(3)}": 0}}',
        "[" * depth,
        json.dumps([random.getrandbits(3), {"end": 0}]),
    )
    text = random.choice(texts).encode()
    if random.random() < 0.3:
        place = random.randrange(len(text))
        text = text[:place] + _noise(random)[:4] + text[place + 1 :]
    return text


def _of_noise(address: Address, random: Random) -> None:
    with closing(socket.create_connection(address, SECONDS)) as connection:
        connection.sendall(_noise(random))
        if random.random() < 0.5:
            connection.shutdown(socket.SHUT_WR)


def _of_no_key(address: Address, random: Random) -> None:
    with closing(socket.create_connection(address, SECONDS)) as connection:
        marks = (b"", b" -secret=", b" -timeout=", b" -timeout=nan", b"\0")
        key = _noise(random)[:200].hex().encode() + random.choice(marks)
        greeting = _greeting(key, random)
        connection.sendall(greeting[: random.choice((len(greeting), random.randrange(16)))])


def _lease(address: Address) -> tuple[socket.socket, Any]:
    connection = socket.create_connection(address, SECONDS)
    if wire.greet(connection, "") != wire.ACCEPTED:
        connection.close()
        raise OSError("busy")
    return connection, wire.receive_json(connection)["token"]


def _of_no_message(address: Address, random: Random) -> None:
    lease, _ = _lease(address)
    with closing(lease):
        for _ in range(random.randrange(1, 4)):
            lease.sendall(_sized(_message(random), random))


def _of_no_session(address: Address, random: Random) -> None:
    lease, token = _lease(address)
    timeout = random.choice(("", f" -timeout={_number(random)}"))
    with closing(lease), closing(socket.create_connection(address, SECONDS)) as session:
        session.sendall(_greeting((token + timeout).encode(), random) + _noise(random))
        if random.random() < 0.5:
            lease.sendall(_sized(_message(random), random))


_CLIENTS: dict[str, Callable[[Address, Random], None]] = {
    "noise": _of_noise,
    "key": _of_no_key,
    "message": _of_no_message,
    "session": _of_no_session,
}
