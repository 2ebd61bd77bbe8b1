"""The server on a board: lends the board to one client at a time, a process for each session.

A client takes the board first (a lease), over a connection that stays open; when that closes, the
board is free. For each session it connects again, with a token that it got. The session's process
is a fork of this one, which has loaded all that it needs: it is there in milliseconds, on a slow
board too, and a kernel that crashes or hangs ends no more than itself.

Nothing here waits for a client: whoever is slow, silent or wrong loses his connection, and others
are served meanwhile.
"""

from __future__ import annotations

import math
import os
import secrets
import selectors
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

from . import protocol, session_process, wire
from .incoming import Incoming
from .protocol import Ended
from .registration import Registration
from .session_process import SessionProcess
from .tvm_runtime import load_runtime

_PATIENCE = 3.0  # seconds for a client to take an answer
_LONGEST = 3600.0  # seconds that one wait may take; more than 24 days are too many for epoll
_GREETINGS = 32  # connections that have not said yet what they want; one more drops the oldest
_LOOK = 0.002  # seconds between looks whether a session has begun, or has ended for who waits


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
    secret : str
        What every client has to know; nothing if empty.
    until_eof : bool
        End when standard input ends: with the program that started the server.
    """

    def __init__(
        self,
        listener: socket.socket,
        facts: dict[str, Any],
        registration: Registration | None = None,
        key: str = "",
        secret: str = "",
        until_eof: bool = False,
    ) -> None:
        load_runtime()
        listener.setblocking(False)  # who wanted to connect may be gone again
        self._listener = listener
        self._registration = registration
        self._key = key
        self._secret = secret
        self._facts = facts
        self._greetings: list[Incoming] = []
        self._lease: Incoming | None = None
        self._token = ""
        self._process: SessionProcess | None = None
        self._how = Ended()  # the session ended that the client has not asked for yet
        self._grace: float | None = None  # until when the client waits for the session's own end
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
                events = self._selector.select(self._pause())
                now = time.monotonic()
                for key, _ in events:
                    key.data()
                self._drop_late(now)  # those that had something to say have said it

    def _pause(self) -> float | None:
        """Do what is due; return the seconds until the next is."""
        due = [greeting.deadline for greeting in self._greetings]
        if self._registration:
            due.append(time.monotonic() + self._registration.refresh(bool(self._lease)))
        if self._process:
            now = time.monotonic()
            is_starting = self._process.is_starting()
            if self._process.deadline <= now:
                self._end_session()
                self._how = Ended(timed_out=True)
            else:
                due.append(now + _LOOK if is_starting else self._process.deadline)
        if self._grace is not None:
            now = time.monotonic()
            if not self._process or self._grace <= now or self._process.has_ended():
                self._tell_the_end()
            else:
                due.append(now + _LOOK)
        if self._lease:
            due.append(self._lease.deadline)
        next_one = min(due, default=math.inf)
        if next_one == math.inf:
            return None
        return min(max(next_one - time.monotonic(), 0.0), _LONGEST)

    def _read_input(self) -> None:
        self._ended = not os.read(sys.stdin.fileno(), 1 << 12)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if len(self._greetings) >= _GREETINGS:
            self._drop(self._greetings[0])
        connection.settimeout(_PATIENCE)
        greeting = Incoming(connection, greeting=True)
        self._greetings.append(greeting)
        hear = partial(self._hear_greeting, greeting)
        self._selector.register(connection, selectors.EVENT_READ, hear)

    def _drop_late(self, now: float) -> None:
        """Drop whoever began to say something, and has not come to its end."""
        for greeting in [late for late in self._greetings if late.deadline <= now]:
            self._drop(greeting)
        if self._lease and self._lease.deadline <= now:
            self._end_lease()

    def _drop(self, greeting: Incoming) -> None:
        self._forget(greeting)
        greeting.connection.close()

    def _forget(self, greeting: Incoming) -> None:
        if greeting in self._greetings:
            self._greetings.remove(greeting)
            self._selector.unregister(greeting.connection)

    def _hear_greeting(self, greeting: Incoming) -> None:
        try:
            content = greeting.read()
            if content is None:
                return
            self._forget(greeting)
            wire.tune(greeting.connection)
            if self._answer(greeting.connection, wire.read_key(content)):
                return  # it is the lease
        except (OSError, ValueError):
            pass
        self._drop(greeting)

    def _answer(self, connection: socket.socket, key: str) -> bool:
        """Answer a client's greeting; tell whether it has taken the board."""
        token, seconds = protocol.read_session_key(key)
        if self._lease and _same(token, self._token):
            wire.answer_greeting(connection, wire.ACCEPTED)
            self._start_session(connection, seconds)
            return False
        answer = self._verdict(*protocol.read_board_key(key))
        wire.answer_greeting(connection, answer)
        if answer != wire.ACCEPTED:
            return False
        self._token = secrets.token_hex(16)
        wire.send_json(connection, protocol.hello(self._token, self._facts))
        self._lease = lease = Incoming(connection)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._hear, lease))
        return True

    def _verdict(self, match_key: str, secret: str) -> int:
        """Return the answer to a client that wants the board."""
        if self._secret and not _same(secret, self._secret):
            return wire.NO_SECRET
        if not _same(match_key, self._registration.match_key if self._registration else self._key):
            return wire.MISMATCH
        return wire.BUSY if self._lease else wire.ACCEPTED

    def _hear(self, lease: Incoming) -> None:
        """Hear the client that has the board: it wants its session to end, or is gone."""
        if lease is not self._lease:
            return  # it was ended a moment ago
        try:
            message = lease.read()
            if message is None:
                return
            grace = protocol.read_end(wire.read_json(message))
        except (OSError, ValueError):
            self._end_lease()
            return
        if self._grace is not None:
            self._tell_the_end()
        self._grace = time.monotonic() + grace

    def _tell_the_end(self) -> None:
        """End the session, and tell the client how it ended, who has asked for it."""
        self._grace = None
        how = self._end_session()
        if self._lease:
            try:
                wire.send_json(self._lease.connection, asdict(how))
            except OSError:
                self._end_lease()

    def _end_lease(self) -> None:
        self._end_session()
        self._grace = None
        if self._lease:
            self._selector.unregister(self._lease.connection)
            self._lease.connection.close()
            self._lease = None

    def _end_session(self) -> Ended:
        process, self._process = self._process, None
        how, self._how = self._how, Ended()
        return process.end() if process else how

    def _start_session(self, connection: socket.socket, seconds: float) -> None:
        self._end_session()
        ours: list[Any] = [self._selector, self._listener, self._registration]
        ours += [each.connection for each in (*self._greetings, self._lease) if each]
        close = [each.close for each in ours if each]
        self._process = session_process.start(connection, close, seconds)


def _same(said: str, expected: str) -> bool:
    """Compare in a time that tells nothing of where they differ."""
    return secrets.compare_digest(said.encode(), expected.encode())
