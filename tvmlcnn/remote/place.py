"""Where a board's server is, and how it comes to be there."""

from __future__ import annotations

import os
import re
import secrets
import select
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

from tvmlcnn.errors import UserError

from . import tracker, wire
from .board_errors import BoardLost, NoBoardFree
from .protocol import READY, board_key

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes")
_KEEPALIVE = ("-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3")
_START = 120.0  # seconds; an emulated board takes many
_GRANT = 10.0
_SSH_FAILED = 255


@dataclass
class Place:
    """A server, ready to be connected to.

    Attributes
    ----------
    name : str
        For messages.
    address : (str, int)
    match_key : str
        What the server expects of a client.
    hint : str
        What to do where it does not answer.
    close : callable
        Ends what was started to get there.
    """

    name: str
    address: tuple[str, int]
    match_key: str = ""
    hint: str = "start `tvmlcnn device serve` there"
    close: Callable[[], None] = field(default=lambda: None)


def listening(address: tuple[str, int], secret: str) -> Place:
    """Return a server that somebody has started, for those who know a secret unless it is empty."""
    return Place(wire.text(address), address, board_key("", secret))


def granted(address: tuple[str, int], key: str, secret: str = "", timeout: float = _GRANT) -> Place:
    """Return a board that a tracker gives; raise NoBoardFree where none gets free in time."""
    grant = tracker.request(address, key, timeout)
    if grant is None:
        tracker.known(address, key)
        raise NoBoardFree(f"no board {key!r} of the tracker {wire.text(address)} is free")
    name = f"{key} at {wire.text(grant.address)}"
    hint = "it registered with an address that this machine cannot reach, or has just gone"
    return Place(name, grant.address, board_key(grant.match_key, secret), hint)


def this_machine() -> Place:
    """Start a server on this machine, which ends with this program."""
    with ExitStack() as stack:
        command = [sys.executable, "-m", "tvmlcnn", "device", "serve", "--starter", "0"]
        where, key = _start("this machine", command, stack, _server_failure)
        address = wire.parse_address(where, "server")
        return Place("this machine", address, key, close=stack.pop_all().close)


def over_ssh(device: str) -> Place:
    """Start a server on another machine over ssh, and a tunnel to it; both end with this program.

    Parameters
    ----------
    device : str
        ``[USER@]HOST[:VENV]``, where VENV is the folder of the virtual environment that tvmlcnn is
        installed in; without it, ``tvmlcnn`` is found on the PATH there, or as a module of
        ``python3``.
    """
    host, _, venv = device.partition(":")
    if not host or host.startswith("-") or venv.isdecimal():
        raise UserError(
            f"device {device!r}: give USER@HOST or USER@HOST:VENV, the folder of a virtual "
            "environment there; a port of ssh belongs in ~/.ssh/config",
            parameters=("device",),
        )
    with ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            here = listener.getsockname()
        # A path can be chosen before the server is there, and is this user's alone.
        there = f"/tmp/tvmlcnn-{secrets.token_hex(16)}.socket"
        tunnel = ["-L", f"{wire.text(here)}:{there}"]
        command = [*_SSH, *_KEEPALIVE, *tunnel, host, _remote(venv, there)]
        _, key = _start(host, command, stack, partial(_ssh_failure, host, venv))
        hint = "its sshd must allow AllowStreamLocalForwarding"
        return Place(host, here, key, hint, stack.pop_all().close)


def _remote(venv: str, path: str) -> str:
    """Return the command line for the shell on the other side."""
    serve = shlex.join(["device", "serve", "--starter", path])
    if venv:
        home, rest = ("~/", venv[2:]) if venv.startswith("~/") else ("", venv)
        return f"exec {home}{shlex.quote(f'{rest}/bin/python')} -m tvmlcnn {serve}"
    return (
        f"if command -v tvmlcnn >/dev/null; then exec tvmlcnn {serve}; "
        f"else exec python3 -m tvmlcnn {serve}; fi"
    )


def _ssh_failure(host: str, venv: str, name: str, code: int | None, line: str) -> BoardLost:
    if code == _SSH_FAILED:
        return BoardLost(f"{name}: ssh failed: {line}; `ssh {host}` must work without a password")
    if code == 127 or re.search("No (module|such command|such file)|not found", line):
        where = f"in {venv}" if venv else f"on the PATH; name its venv: {host}:VENV"
        return BoardLost(
            f"{name}: there is no tvmlcnn with `device serve` {where} ({line})",
            parameters=("device",),
        )
    return _server_failure(name, code, line)


def _server_failure(name: str, code: int | None, line: str) -> BoardLost:
    return BoardLost(f"{name}: its server failed: {line}")


def _start(
    name: str,
    command: Sequence[str],
    stack: ExitStack,
    explain: Callable[[str, int | None, str], BoardLost],
) -> tuple[str, str]:
    """Start a server, wait until it listens, and return where, and its key; the stack ends it.

    It also ends when its standard input does, as when this program is killed.
    """
    log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for this program, which ends the server in order
        )
    except OSError as error:
        raise BoardLost(f"{name}: {command[0]} cannot be started: {error.strerror}") from error
    stack.callback(_stop, process)
    assert process.stdout
    output, deadline = b"", time.monotonic() + _START
    # A shell may say something first.
    while not (found := re.search(rf"^{READY}(\S+) (\S+)\n", output.decode(), re.MULTILINE)):
        left = max(0.0, deadline - time.monotonic())
        ready = select.select([process.stdout], [], [], left)[0]
        piece = os.read(process.stdout.fileno(), 1 << 12) if ready else b""
        if not piece:
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            log.seek(0)
            lines = log.read().decode(errors="replace").split("\n")
            said = [line.strip().removeprefix("error: ") for line in lines if line.strip()]
            reason = said[-1] if said else f"nothing was heard of it in {_START:.0f} s"
            raise explain(name, process.poll(), reason)
        output += piece
    return found[1], found[2]


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    assert process.stdout
    with suppress(OSError):
        process.stdin.close()
    for end in (process.terminate, process.kill):
        try:
            process.wait(3)
            break
        except subprocess.TimeoutExpired:
            end()
    process.wait()
    process.stdout.close()
