"""What a board's server and its client say to each other.

``wire`` carries it. A client that takes the board is told a token and the facts of the board, and
keeps that connection, the lease. For each session it connects again, with the token as its key;
from then on that is TVM's RPC, which calls functions of the board by name. Over the lease it asks
for the end of a session, with seconds to wait for it, and is told how the session ended.
"""

from __future__ import annotations

import math

VERSION = 1
"""Of all this and of the functions' arguments; both sides must have the same."""

READY = "serving on "
"""How the line begins that a server prints when it listens: then where, and its key."""

SET_EVICT, EVICT = "tvmlcnn.set_evict", "tvmlcnn.evict"
"""Functions that bring the board's caches into the state that a kernel finds in a network.

The latter takes a kernel's arguments, as TVM's evaluator calls it beforehand.
"""

_TIMEOUT = " -timeout="


def function(name: str) -> str:
    """Return what TVM calls a function of the server: ``upload``, ``run`` or ``bench``."""
    return f"tvmlcnn.{name}"


def session_key(token: str, timeout: float | None) -> str:
    """Return the key of a session that may take ``timeout`` seconds."""
    return token if timeout is None else f"{token}{_TIMEOUT}{timeout}"


def read_session_key(key: str) -> tuple[str, float]:
    """Return token and seconds of a session's key; raise ValueError where the latter are none."""
    token, _, timeout = key.partition(_TIMEOUT)
    return token, float(timeout or math.inf)
