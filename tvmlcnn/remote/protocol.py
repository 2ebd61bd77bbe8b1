"""What a board's server and its client say to each other.

``wire`` carries it. A client that takes the board is told a token and the facts of the board, and
keeps that connection, the lease. For each session it connects again, with the token as its key;
from then on that is TVM's RPC, which calls functions of the board by name. Over the lease it asks
for the end of a session, with seconds to wait for it, and is told how the session ended.

What either side hears is read here, and is a ValueError where it is something else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

VERSION = 2
"""Of all this and of the functions' arguments; both sides must have the same."""

READY = "serving on "
"""How the line begins that a server prints when it listens: then where, and its key."""

SET_EVICT, EVICT = "tvmlcnn.set_evict", "tvmlcnn.evict"
"""Functions that bring the board's caches into the state that a kernel finds in a network.

The latter takes a kernel's arguments, as TVM's evaluator calls it beforehand.
"""

_SECRET, _TIMEOUT = " -secret=", " -timeout="
_LONGEST_GRACE = 5.0  # seconds; clients ask for two
_FACTS: dict[str, type] = {
    "machine": str,
    "model": str,
    "emulated": bool,
    "features": list,
    "cores": int,
}


@dataclass(frozen=True)
class Ended:
    """How a session ended: its time was up, by a signal, or by itself with a code; or in order."""

    timed_out: bool = False
    signal: int = 0
    exit: int = 0


def function(name: str) -> str:
    """Return what TVM calls a function of the server, such as ``upload`` or ``run``."""
    return f"tvmlcnn.{name}"


def board_key(match_key: str, secret: str) -> str:
    """Return the key of who wants the board: what a tracker told of it, and the board's secret."""
    return f"{match_key}{_SECRET}{secret}" if secret else match_key


def read_board_key(key: str) -> tuple[str, str]:
    """Return the two parts of `board_key`; either may be empty."""
    match_key, _, secret = key.partition(_SECRET)
    return match_key, secret


def session_key(token: str, timeout: float | None) -> str:
    """Return the key of a session that may take ``timeout`` seconds."""
    return token if timeout is None else f"{token}{_TIMEOUT}{timeout}"


def read_session_key(key: str) -> tuple[str, float]:
    """Return token and seconds of a session's key, infinity where it has none."""
    token, mark, timeout = key.partition(_TIMEOUT)
    return token, _seconds(float(timeout)) if mark else math.inf


def hello(token: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what a client is told that has taken the board."""
    return {"protocol": VERSION, "token": token, "facts": facts}


def read_hello(message: Any) -> tuple[int, str, dict[str, Any]]:
    """Return the version, the token and the facts of `hello`; of another version only that."""
    if not isinstance(message, dict) or type(message.get("protocol")) is not int:
        raise ValueError(message)
    if message["protocol"] != VERSION:
        return message["protocol"], "", {}
    token, facts = message.get("token"), message.get("facts")
    if not isinstance(token, str) or not isinstance(facts, dict):
        raise ValueError(message)
    if any(type(facts.get(name)) is not kind for name, kind in _FACTS.items()):
        raise ValueError(message)
    return VERSION, token, facts


def end(grace: float) -> dict[str, Any]:
    """Return the wish to end a session, which has ``grace`` seconds to do it by itself."""
    return {"end": grace}


def read_end(message: Any) -> float:
    """Return the seconds of `end`, which are few whatever a client wants."""
    if not isinstance(message, dict) or type(message.get("end")) not in (int, float):
        raise ValueError(message)
    return min(_seconds(message["end"]), _LONGEST_GRACE)


def read_ended(message: Any) -> Ended:
    """Return how a session ended, as the fields of `Ended`."""
    kinds = {"timed_out": bool, "signal": int, "exit": int}
    if not isinstance(message, dict) or {k: type(v) for k, v in message.items()} != kinds:
        raise ValueError(message)
    return Ended(**message)


def _seconds(value: float) -> float:
    if not 0 <= value < math.inf:  # and nothing that is no number
        raise ValueError(value)
    return value
