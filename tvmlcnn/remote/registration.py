"""How a board stays in a tracker's list, for as long as both live."""

from __future__ import annotations

import logging
import secrets
import socket
import time
from typing import Any

from . import tracker, wire

logger = logging.getLogger(__name__)

_PERIOD = 2.0  # seconds
_LONGEST_PAUSE = 30.0
_PATIENCE = 3.0  # for the tracker's answers: nobody is served meanwhile
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
            self._connection = tracker.connect(self._address, _PATIENCE)
            self._told, self._pause = None, 1.0
            logger.info("registered as %s with %s", self._key, wire.text(self._address))
        if busy != self._told:
            address = (None, self._port)  # the tracker sees the host
            info = {"key": f"server:{self._key}", "addr": address, "busy": busy}
            self._ask(tracker.UPDATE_INFO, info | {"facts": self._facts})
            if not busy:
                self._offer()
            self._told = busy
        elif busy:
            self._ask(tracker.PING)
        elif self._is_pending():
            self._given = 0.0
        elif not self._given:
            self._given = time.monotonic()
        elif time.monotonic() - self._given > _UNCLAIMED:
            self._offer()

    def _is_pending(self) -> bool:
        """Tell whether the tracker has the offer still, and has given the board to nobody."""
        keys = self._ask(tracker.GET_PENDING_KEYS)
        if not isinstance(keys, list):
            raise OSError("it speaks another protocol")
        return self.match_key in keys

    def _offer(self) -> None:
        self.match_key, self._given = self._new_key(), 0.0
        self._ask(tracker.PUT, self._key, (self._port, self.match_key), None)

    def _ask(self, *message: Any) -> Any:
        assert self._connection
        wire.send_json(self._connection, message)
        return wire.receive_json(self._connection)

    def _lose(self, error: OSError) -> None:
        if self._pause == 1.0:
            reason, where = error.strerror or error, wire.text(self._address)
            logger.warning("the tracker %s does not answer (%s); trying on", where, reason)
        self.close()
        self._next = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def close(self) -> None:
        """Leave the tracker's list."""
        if self._connection:
            self._connection.close()
            self._connection = None
