"""How a board stays in a tracker's list, for as long as both live."""

from __future__ import annotations

import secrets
import socket
import time
from typing import Any

import click

from . import tracker, wire

_PERIOD = 2.0  # seconds
_LONGEST_PAUSE = 30.0
# A client that was given the board comes within this, or the board is offered again.
_UNCLAIMED = 8.0


class Registration:
    """Offers a board to a tracker, whenever the board is free.

    A tracker that ends, or is not there yet, is tried again for ever.

    Parameters
    ----------
    address : (str, int)
        Of the tracker.
    key : str
        The kind of board, which clients ask for.
    port : int
        Where the board's server listens, on the address from which it reaches the tracker.
    facts : dict
        What the tracker tells of the board in its list.

    Attributes
    ----------
    match_key : str
        What the client says to which the tracker gave the board.
    """

    def __init__(
        self, address: tuple[str, int], key: str, port: int, facts: dict[str, Any]
    ) -> None:
        self._address = address
        self._key = key
        self._port = port
        self._facts = facts
        self._connection: socket.socket | None = None
        self._told: bool | None = None  # the tracker: that the board is busy
        self._next = 0.0
        self._pause = 1.0
        self._given = 0.0  # since when the tracker has given the board to a client; 0: not given
        self.match_key = self._new_key()

    def _new_key(self) -> str:
        # TVM's tracker finds the kind of board before the last colon.
        return f"{self._key}:{secrets.token_hex(16)}"

    def refresh(self, busy: bool) -> float:
        """Tell the tracker what has changed; return the seconds after which to call again."""
        now = time.monotonic()
        if now >= self._next or (self._connection and busy != self._told):
            self._next = now + _PERIOD
            try:
                self._report(busy)
            except OSError as error:
                self._lose(error)
        return max(0.0, self._next - time.monotonic())

    def _report(self, busy: bool) -> None:
        if self._connection is None:
            self._connection = tracker.connect(self._address)
            self._told, self._pause = None, 1.0
            click.echo(f"registered as {self._key} with {wire.text(self._address)}", err=True)
        if busy != self._told:
            address = (None, self._port)  # the tracker sees the host
            info = {"key": f"server:{self._key}", "addr": address, "busy": busy}
            self._ask(tracker.UPDATE_INFO, info | {"facts": self._facts})
            if not busy:
                self._offer()
            self._told = busy
        elif busy:
            self._ask(tracker.PING)
        elif self.match_key in self._ask(tracker.GET_PENDING_KEYS):
            self._given = 0.0
        elif not self._given:
            self._given = time.monotonic()
        elif time.monotonic() - self._given > _UNCLAIMED:
            self._offer()

    def _offer(self) -> None:
        self.match_key, self._given = self._new_key(), 0.0
        self._ask(tracker.PUT, self._key, (self._port, self.match_key), None)

    def _ask(self, *message: Any) -> Any:
        assert self._connection
        wire.send_json(self._connection, message)
        return wire.receive_json(self._connection)

    def _lose(self, error: OSError) -> None:
        if self._pause == 1.0:
            reason = error.strerror or error
            click.echo(
                f"the tracker {wire.text(self._address)} does not answer ({reason}); trying on",
                err=True,
            )
        self.close()
        self._next = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def close(self) -> None:
        """Leave the tracker's list."""
        if self._connection:
            self._connection.close()
            self._connection = None
