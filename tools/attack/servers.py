"""A board's server and a tracker on loopback, each a process of its own, under wrong clients."""

from __future__ import annotations

import json
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Any

from tvmlcnn.errors import UserError
from tvmlcnn.remote import tracker
from tvmlcnn.remote.wire import parse_address

from . import clients
from .mutations import damaged, damaged_json
from .verdict import ANSWERED, CRASHED, HUNG, Verdict, Verdicts

Address = tuple[str, int]
SECONDS = 20.0
"""In which a tracker has to tell its list, with the board that is there."""
_KEY = "attacked"


def attack_board(numbers: Iterable[int], seed: int, folder: Path) -> Verdicts:
    """Connect to a board's server as wrong clients do; see `clients.attack`."""
    with ExitStack() as running:
        address = _start(running, "serve")
        for number in numbers:
            verdict = next(clients.attack([number], seed, address))
            if verdict.outcome != ANSWERED:
                running.close()
                address = _start(running, "serve")
            yield verdict


def attack_tracker(numbers: Iterable[int], seed: int, folder: Path) -> Verdicts:
    """Tell a tracker what it should not be told, and yield whether its board is listed still.

    Parameters
    ----------
    numbers : iterable of int
        One for each client.
    seed : int
        Of all that they say.
    folder : Path
        Not needed.
    """
    with ExitStack() as running:
        address = _fleet(running)
        for number in numbers:
            _tell(address, Random(f"{seed}:{number}"))
            outcome, said = _listed(address)
            if outcome != ANSWERED:
                running.close()
                address = _fleet(running)
            yield Verdict("tracker", f"{seed}:{number}", outcome, said)


def _fleet(running: ExitStack) -> Address:
    """Start a tracker and a board; return the tracker's address."""
    address = _start(running, "tracker")
    _start(running, "serve", "--tracker", f"{address[0]}:{address[1]}", "--key", _KEY)
    while _listed(address)[0] == HUNG:
        time.sleep(0.1)
    return address


def _start(running: ExitStack, *arguments: str) -> Address:
    """Start ``tvmlcnn device``, to end with ``running``; return where it listens."""
    command = [sys.executable, "-m", "tvmlcnn", "device", *arguments, "--port", "0"]
    log = running.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    process = running.enter_context(
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    )
    running.callback(process.send_signal, signal.SIGKILL)
    assert process.stdout
    line = process.stdout.readline()
    if not line.startswith("serving on "):
        log.seek(0)
        raise UserError(f"tvmlcnn device does not start: {log.read().decode()}")
    return parse_address(line.split()[-1], "")


def _listed(address: Address) -> tuple[str, str]:
    """Ask for the list of a tracker; return an outcome and what was said."""
    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            keys = [entry.key for entry in tracker.entries(address)]
            if _KEY in keys:
                return ANSWERED, "the board is listed"
            time.sleep(0.05)
    except UserError as error:
        return CRASHED, str(error)
    return HUNG, f"the board is not listed for {SECONDS:g} s"


def _messages(random: Random) -> list[Any]:
    """Return what boards and clients say to a tracker."""
    key = random.choice((_KEY, "other", f"server:{_KEY}", ""))
    info = {"key": key, "addr": [None, random.getrandbits(16)], "busy": False, "facts": {"a": [1]}}
    port = random.getrandbits(random.choice((8, 16, 64)))
    return [
        [tracker.PING],
        [tracker.PUT, key, [port, f"{key}:{random.getrandbits(32)}"], None],
        [tracker.REQUEST, key, "", 1],
        [tracker.UPDATE_INFO, info],
        [tracker.SUMMARY],
        [tracker.GET_PENDING_KEYS],
    ]


def _tell(address: Address, random: Random) -> None:
    change: Callable[[str, Random], bytes]
    with suppress(OSError), tracker.connect(address) as connection:
        for _ in range(random.choice((1, 1, 2, 3))):
            text = json.dumps(random.choice(_messages(random)))
            change = random.choice((_as_json, _as_json, _as_bytes, _as_it_is))
            data = change(text, random)
            size = len(data) if random.random() < 0.9 else random.getrandbits(32) - (1 << 31)
            connection.sendall(struct.pack("<i", size) + data)
        connection.settimeout(0.05)
        connection.recv(1 << 16)


def _as_json(text: str, random: Random) -> bytes:
    return damaged_json(text, random).encode("utf-8", "surrogatepass")


def _as_bytes(text: str, random: Random) -> bytes:
    return damaged(text.encode(), random)


def _as_it_is(text: str, random: Random) -> bytes:
    return text.encode()
