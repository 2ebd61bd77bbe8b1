"""Taking the boards of a run, wherever they are."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tvmlcnn.errors import UserError

from . import place, wire
from .board import Board
from .board_errors import BoardLost, NoBoardFree
from .fleet import Fleet
from .token import read_token
from .tracker import known

logger = logging.getLogger(__name__)

_WAIT = 5.0  # seconds between looks whether boards that are busy are still there
_OTHERS = 2.0  # seconds for a board that was free a moment ago


@contextmanager
def boards(
    device: str | None = None,
    tracker: str | None = None,
    key: str | None = None,
    parallel: int | None = None,
    token_file: str | Path | None = None,
) -> Iterator[Fleet]:
    """Take boards and give them back after the ``with`` block.

    Parameters
    ----------
    device : str, optional
        ``HOST:PORT`` of a server, or ``[USER@]HOST[:VENV]`` where one is started over ssh.
    tracker, key : str, optional
        ``HOST:PORT`` of a tracker, and the kind of boards. Those that are free are taken, at most
        ``parallel``; where all are busy, the first that gets free.
    parallel : int, optional
    token_file : str or Path, optional
        The file with the token that a server at ``HOST:PORT``, or the tracker's boards, ask for.

    With none of them it is this machine, by a server in a process of its own.

    Raises
    ------
    BoardLost
        If no board answers.
    UserError
        If an argument makes no sense.
    """
    if (tracker is None) != (key is None):
        raise UserError("a tracker and a key go together", parameters=("tracker", "key"))
    if device is not None and tracker is not None:
        raise UserError("give either a device or a tracker", parameters=("device", "tracker"))
    if tracker is not None and key is not None:
        fleet = _lent(wire.parse_address(tracker, "tracker"), key, parallel, _secret(token_file))
    else:
        fleet = Fleet([Board(_finder(device, token_file))])
    try:
        yield fleet
    finally:
        fleet.close()


def _secret(token_file: str | Path | None) -> str:
    return "" if token_file is None else read_token(token_file)


def _finder(device: str | None, token_file: str | Path | None) -> Callable[[], place.Place]:
    if device is None:
        return place.this_machine
    if "@" not in device and re.search(r":\d+$", device):
        address = wire.parse_address(device, "device")
        return partial(place.listening, address, _secret(token_file))
    return partial(place.over_ssh, device)


def _lent(address: tuple[str, int], key: str, parallel: int | None, secret: str) -> Fleet:
    """Take boards from a tracker: all that are free, or the first that gets free.

    One that does not answer any more costs the time of asking for the next one.
    """
    most = len(known(address, key))
    taken: list[Board] = []
    lost: dict[str, str] = {}
    waited = False
    while len(taken) < (parallel or most) and len(taken) + len(lost) < most:
        patience = _OTHERS if taken else _WAIT
        try:
            taken.append(Board(partial(place.granted, address, key, secret, patience)))
        except NoBoardFree:
            if taken:
                break
            if not waited:
                logger.warning("all boards %r are busy; waiting for one", key)
            waited = True
        except BoardLost as error:
            lost[f"{key} ({len(lost) + 1})"] = str(error)
    if not taken:
        raise BoardLost("; ".join(lost.values()))
    return Fleet(taken, lost)
