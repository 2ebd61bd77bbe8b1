"""What to ask TVM's tracker, which lends boards.

Source of the messages: ``tvm/rpc/tracker.py`` and ``tvm/rpc/base.py`` of TVM 0.27.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from tvmlcnn.errors import did_you_mean

from . import wire
from .board_errors import BoardLost

SUCCESS, PING, PUT, REQUEST, UPDATE_INFO, SUMMARY, GET_PENDING_KEYS = 0, 1, 3, 4, 5, 6, 7


@dataclass(frozen=True)
class Entry:
    """A board in a tracker's list.

    Attributes
    ----------
    key : str
        The kind of board.
    address : str
    busy : bool or None
    facts : dict
        What the board says of itself. A server of TVM's own says nothing, nor whether it is busy.
    """

    key: str
    address: str
    busy: bool | None
    facts: dict[str, Any]


@dataclass(frozen=True)
class Grant:
    """A board that the tracker gave: where it listens, and the key that it expects."""

    address: tuple[str, int]
    match_key: str


def connect(address: tuple[str, int], timeout: float = wire.PATIENCE) -> socket.socket:
    """Return a connection to a tracker; raise OSError where there is none."""
    connection = wire.connect(address, timeout)
    try:
        wire.send_int(connection, wire.TRACKER_MAGIC)
        if wire.receive_int(connection) != wire.TRACKER_MAGIC:
            raise OSError("it is no tracker")
    except OSError:
        connection.close()
        raise
    return connection


def entries(address: tuple[str, int]) -> list[Entry]:
    """Return the boards that a tracker knows, by key and address.

    Raises
    ------
    BoardLost
        If the tracker does not answer.
    """
    try:
        with connect(address) as connection:
            wire.send_json(connection, [SUMMARY])
            _, summary = wire.receive_json(connection)
    except (OSError, ValueError) as error:
        raise _no_tracker(address, error) from error
    return sorted(
        (
            Entry(
                info["key"].removeprefix("server:"),
                wire.text((info["addr"][0], info["addr"][1])),
                info.get("busy"),
                info.get("facts", {}),
            )
            for info in summary["server_info"]
        ),
        key=lambda entry: (entry.key, entry.address),
    )


def known(address: tuple[str, int], key: str) -> list[Entry]:
    """Return the boards of a key; raise BoardLost where the tracker has none."""
    everything = entries(address)
    found = [entry for entry in everything if entry.key == key]
    if not found:
        keys = sorted({entry.key for entry in everything})
        have = f"it has {', '.join(keys)}" if keys else "it has no board at all"
        raise BoardLost(
            f"the tracker {wire.text(address)} has no board {key!r}{did_you_mean(key, keys)}: "
            f"{have}; start `tvmlcnn device serve --tracker ... --key {key}` on one"
        )
    return found


def request(address: tuple[str, int], key: str, timeout: float) -> Grant | None:
    """Ask for a free board and wait for one; return None where none got free in time.

    Raises
    ------
    BoardLost
        If the tracker does not answer.
    """
    try:
        with connect(address) as connection:
            wire.send_json(connection, [REQUEST, key, "", 1])
            connection.settimeout(timeout)
            try:
                status, (host, port, match_key) = wire.receive_json(connection)
            except TimeoutError:
                return None
    except (OSError, ValueError) as error:
        raise _no_tracker(address, error) from error
    assert status == SUCCESS
    return Grant((host, port), match_key)


def _no_tracker(address: tuple[str, int], error: Exception) -> BoardLost:
    reason = getattr(error, "strerror", None) or error
    return BoardLost(
        f"no tracker answers at {wire.text(address)} ({reason}); "
        "`tvmlcnn device tracker` starts one, on a PC"
    )
