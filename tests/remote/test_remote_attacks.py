"""Clients that are slow, silent, wrong or greedy: a server lives on, and serves others."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import Lab, Program, children, until

from tools.attack import clients
from tools.attack.verdict import ANSWERED
from tvmlcnn import remote
from tvmlcnn.remote import wire
from tvmlcnn.remote.incoming import _LONGEST
from tvmlcnn.remote.protocol import VERSION
from tvmlcnn.remote.server import _GREETINGS

PATIENCE = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[Program]:
    with Lab() as lab:
        yield lab.board()


def connect(server: Program) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.port)), PATIENCE)


def sized(content: bytes) -> bytes:
    return struct.pack("<i", len(content)) + content


def greeting(key: str) -> bytes:
    return struct.pack("<i", wire.MAGIC) + sized(f"client:{key}".encode())


def lease(server: Program) -> tuple[socket.socket, str]:
    """Take the board; return the connection and the token of its sessions."""

    def taken() -> tuple[socket.socket, str] | None:
        connection = connect(server)
        if wire.greet(connection, "") == wire.ACCEPTED:
            return connection, wire.receive_json(connection)["token"]
        connection.close()
        return None

    return until(taken)


def session(server: Program, token: str, suffix: str = "") -> socket.socket:
    connection = connect(server)
    connection.sendall(greeting(token + suffix))
    return connection


def serves(server: Program, library: Path) -> bool:
    """Tell whether a client of the usual kind is served."""
    assert server.process.poll() is None, server.err

    def done() -> bool:
        with (
            suppress(remote.BoardLost),
            remote.boards(server.address) as (board,),
            board.session(PATIENCE) as session,
        ):
            x, y = session.tensor(np.ones(64, np.float32)), session.empty((64,))
            session.load(library)["double"](x, y)
            return bool((session.array(y) == 2).all())
        return False

    return until(done)


def is_closed(connection: socket.socket) -> bool:
    """Tell whether the server gives a connection up; fail where it never does."""
    connection.settimeout(PATIENCE)
    with suppress(ConnectionResetError, BrokenPipeError):
        while connection.recv(1 << 16):
            pass
    return True


TIMEOUTS = ["nan", "inf", "-inf", "-1", "1e999", "", "x", "1" * 400, "0x10", " -timeout=1", "٣x"]


@pytest.mark.parametrize("timeout", TIMEOUTS)
def test_a_session_of_no_time(timeout: str, server: Program, board_library: Path) -> None:
    holder, token = lease(server)
    with closing(holder), closing(session(server, token, f" -timeout={timeout}")) as connection:
        assert is_closed(connection)
    assert children(server.process.pid) == []
    assert serves(server, board_library)


MESSAGES = {
    "nested": sized(b"[" * (_LONGEST - 1)),
    "nested in an object": sized(b'{"end":' * 500 + b"0" + b"}" * 500),
    "longer than any": sized(b" " * (_LONGEST + 1)),
    "of no length": struct.pack("<i", -1),
    "as long as can be": struct.pack("<i", 2**31 - 1),
    "empty": sized(b""),
    "no text": sized(b"\xff\xfe\x80"),
    "no object": sized(b"[1]"),
    "another object": sized(b"{}"),
    "no number": sized(b'{"end": NaN}'),
    "infinite": sized(b'{"end": Infinity}'),
    "too large": sized(b'{"end": 1e999}'),
    "of many digits": sized(b'{"end": 1' + b"0" * 400 + b"}"),
    "negative": sized(b'{"end": -1}'),
    "a text": sized(b'{"end": "1"}'),
    "a boolean": sized(b'{"end": true}'),
    "a list": sized(b'{"end": [0]}'),
    "null": sized(b'{"end": null}'),
    "of TVM's tracker": sized(json.dumps([5, {"key": "server:x", "addr": [None, 1]}]).encode()),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_what_a_lease_never_says_ends_it(
    message: str, server: Program, board_library: Path
) -> None:
    holder, _ = lease(server)
    with closing(holder):
        holder.sendall(MESSAGES[message])
        assert is_closed(holder)
    assert serves(server, board_library)


def drip(connection: socket.socket, data: bytes, done: threading.Event) -> None:
    """Send a byte every now and then."""
    with suppress(OSError):
        for byte in data:
            connection.sendall(bytes([byte]))
            if done.wait(0.2):
                return


@pytest.fixture
def dripping() -> Iterator[Any]:
    """Send something slowly, on connections that are closed afterwards."""
    done, threads = threading.Event(), []
    with ExitStack() as stack:

        def start(connection: socket.socket, data: bytes) -> socket.socket:
            stack.enter_context(closing(connection))
            threads.append(threading.Thread(target=drip, args=(connection, data, done)))
            threads[-1].start()
            return connection

        yield start
        done.set()
        for thread in threads:
            thread.join()


@pytest.mark.long
def test_slow_greetings_keep_nobody_waiting(
    dripping: Any, server: Program, board_library: Path
) -> None:
    slow = [dripping(connect(server), greeting("x" * 1000)) for _ in range(5)]
    assert serves(server, board_library)
    assert all(is_closed(connection) for connection in slow)  # long before they are complete


@pytest.mark.long
def test_a_slow_message_keeps_nobody_waiting(
    dripping: Any, server: Program, board_library: Path
) -> None:
    holder, _ = lease(server)
    dripping(holder, sized(b'{"end": 0' + b" " * 1000 + b"}"))
    with closing(connect(server)) as other:
        assert wire.greet(other, "") == wire.BUSY  # and is told so, at once
    assert is_closed(holder)
    assert serves(server, board_library)


@pytest.mark.long
def test_silent_connections_make_room(server: Program, board_library: Path) -> None:
    files = Path(f"/proc/{server.process.pid}/fd")
    before = len(list(files.iterdir()))
    with ExitStack() as stack:
        silent = [stack.enter_context(closing(connect(server))) for _ in range(3 * _GREETINGS)]
        with closing(connect(server)) as other:  # the last one: the server has seen the others
            assert wire.greet(other, "none") == wire.MISMATCH
            assert len(list(files.iterdir())) <= before + _GREETINGS + 1
        assert serves(server, board_library)
        assert all(is_closed(connection) for connection in silent)


@pytest.mark.long
def test_a_grace_is_short_whatever_is_asked_for(server: Program, board_library: Path) -> None:
    holder, token = lease(server)
    with closing(holder), closing(session(server, token)) as lingering:
        assert wire.receive_int(lingering) == wire.ACCEPTED
        holder.sendall(sized(b'{"end": 100000}'))
        with closing(connect(server)) as other:  # served while the first is waited for
            assert wire.greet(other, "") == wire.BUSY
        holder.settimeout(PATIENCE)
        assert wire.receive_json(holder) == {"timed_out": False, "signal": 0, "exit": 0}
        holder.sendall(sized(b'{"end": 100000}') * 20)
    assert serves(server, board_library)
    assert children(server.process.pid) == []


def test_who_gives_the_board_back_in_his_grace(server: Program, board_library: Path) -> None:
    holder, token = lease(server)
    with closing(session(server, token)) as lingering:
        assert wire.receive_int(lingering) == wire.ACCEPTED
        holder.sendall(sized(b'{"end": 5}'))
        holder.close()
        assert is_closed(lingering)
    assert serves(server, board_library)


@pytest.mark.long
def test_who_never_reads_an_answer(server: Program, board_library: Path) -> None:
    holder, _ = lease(server)
    with closing(holder), suppress(OSError):
        holder.settimeout(PATIENCE)
        for _ in range(10_000):
            holder.sendall(sized(b'{"end": 0}') * 100)
    assert serves(server, board_library)


@pytest.mark.long
def test_many_clients_from_a_fixed_seed(server: Program, board_library: Path) -> None:
    address = wire.parse_address(server.address, "")
    verdicts = list(clients.attack(range(400), 0, address))
    assert [verdict for verdict in verdicts if verdict.outcome != ANSWERED] == []
    assert serves(server, board_library)
    assert children(server.process.pid) == []


def test_a_server_that_lies_is_told_of_in_one_line() -> None:
    """A client is no more harmed by what it connects to."""
    hellos: list[Any] = [
        *(
            [],
            {},
            None,
            3,
            {"protocol": "1"},
            {"protocol": VERSION},
            {"protocol": VERSION, "token": 3},
        ),
        {"protocol": VERSION, "token": "x", "facts": {"machine": 3}},
    ]
    for hello in hellos:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def answer(listener: socket.socket = listener, hello: Any = hello) -> None:
                connection, _ = listener.accept()
                with closing(connection), suppress(OSError):
                    wire.answer_greeting(connection, wire.ACCEPTED)
                    wire.send_json(connection, hello)
                    connection.recv(1 << 16)
                    time.sleep(0.05)

            thread = threading.Thread(target=answer)
            thread.start()
            address = wire.text(listener.getsockname())
            with (
                pytest.raises(remote.BoardLost, match="another protocol") as seen,
                remote.boards(address),
            ):
                pass
            thread.join()
            assert "\n" not in str(seen.value)
