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
            summary = _answer(wire.receive_json(connection), dict)
    except (OSError, ValueError) as error:
        raise _no_tracker(address, error) from error
    told = summary.get("server_info")
    found = [_entry(info) for info in told] if isinstance(told, list) else []
    return sorted((entry for entry in found if entry), key=lambda entry: (entry.key, entry.address))


def _entry(info: Any) -> Entry | None:
    """Return what a server has told the tracker of itself; None where it makes no sense."""
    if not isinstance(info, dict):
        return None
    key, address = info.get("key"), _address(info.get("addr"))
    if not isinstance(key, str) or address is None:
        return None
    busy, facts = info.get("busy"), info.get("facts")
    return Entry(
        key.removeprefix("server:"),
        wire.text(address),
        busy if isinstance(busy, bool) else None,
        facts if isinstance(facts, dict) else {},
    )


def _address(pair: Any) -> tuple[str, int] | None:
    if not isinstance(pair, list) or [type(part) for part in pair] != [str, int]:
        return None
    return pair[0], pair[1]


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
                grant = _answer(wire.receive_json(connection), list)
            except TimeoutError:
                return None
        where, match_key = _address(grant[:2]), grant[2:]
        if where is None or [type(key) for key in match_key] != [str]:
            raise ValueError(grant)
    except (OSError, ValueError) as error:
        raise _no_tracker(address, error) from error
    return Grant(where, match_key[0])


def _answer(message: Any, kind: type) -> Any:
    """Return what the tracker answers with; raise ValueError where it is of another kind."""
    if not isinstance(message, list) or len(message) != 2 or message[0] != SUCCESS:
        raise ValueError(message)
    if not isinstance(message[1], kind):
        raise ValueError(message)
    return message[1]


def _no_tracker(address: tuple[str, int], error: Exception) -> BoardLost:
    if isinstance(error, OSError):
        reason: object = error.strerror or error
    else:
        reason = "what answers is no tracker"
    return BoardLost(
        f"no tracker answers at {wire.text(address)} ({reason}); "
        "`tvmlcnn device tracker` starts one, on a PC"
    )
