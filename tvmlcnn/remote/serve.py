"""The programs ``tvmlcnn device serve`` and ``tvmlcnn device tracker``."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

import click

from tvmlcnn.errors import UserError

from . import functions, tracker_program, wire
from .listen import is_loopback, listen, listen_at
from .protocol import READY
from .registration import Registration
from .server import Server
from .token import read_token


def serve(
    host: str, port: int, tracker: str | None, key: str | None, token_file: str | None = None
) -> None:
    """Serve this machine until interrupted.

    Parameters
    ----------
    host, port : str, int
        Where to listen; any free port for 0.
    tracker, key : str, optional
        ``HOST:PORT`` of the tracker to register with, and the kind of this board.
    token_file : str, optional
        The file with the token that clients have to know.

    Raises
    ------
    UserError
        If it cannot listen there, or clients of the tracker could not reach it.
    """
    if (tracker is None) != (key is None):
        raise UserError("a tracker and a key go together", parameters=("tracker", "key"))
    address = tracker and wire.parse_address(tracker, "tracker")
    if address and is_loopback(host) and not is_loopback(address[0]):
        raise UserError(
            f"the tracker's clients cannot reach {host}: listen on this machine's address in "
            "their network, 0.0.0.0 for example",
            parameters=("host",),
        )
    secret = "" if token_file is None else read_token(token_file)
    listener = listen(host, port)
    port = listener.getsockname()[1]
    facts = functions.facts()
    registration = Registration(address, key, port, facts) if address and key else None
    server = Server(listener, facts, registration, secret=secret)
    _announce(host, port, "can run any program on this machine", bool(secret))
    with suppress(KeyboardInterrupt):
        server.serve()


def serve_starter(where: str) -> None:
    """Serve the program that started this one, until it ends: standard input ends with it.

    Parameters
    ----------
    where : str
        A path of a socket, or a port on loopback. The line that says so also has the key, for that
        program alone.
    """
    key = secrets.token_hex(16)
    path = None if where.isdecimal() else Path(where)
    listener = listen("127.0.0.1", int(where)) if path is None else listen_at(where)
    try:
        server = Server(listener, functions.facts(), key=key, until_eof=True)
        name = where if path else wire.text(listener.getsockname())
        click.echo(f"{READY}{name} {key}")
        with suppress(KeyboardInterrupt):
            server.serve()
    finally:
        if path:
            path.unlink(missing_ok=True)


def serve_tracker(host: str, port: int) -> None:
    """Run the tracker until interrupted; raise UserError if it is not there or cannot listen."""
    listener = listen(host, port)
    program = tracker_program.load()
    _announce(
        host, listener.getsockname()[1], "can use its boards, and run any program on them", False
    )
    with suppress(KeyboardInterrupt):
        tracker_program.serve(program, listener)


def _announce(host: str, port: int, can: str, has_token: bool) -> None:
    where = wire.text((host, port))
    who = f"whoever reaches {where}"
    if has_token:
        problem = f"nothing is encrypted: {who} and has the token, or listens in, {can}"
    else:
        problem = f"TVM's RPC has no authentication: {who} {can}"
    if not is_loopback(host):
        click.echo(
            f"warning: {problem}; "
            "listen in a network that you trust, or have clients name USER@HOST, for ssh",
            err=True,
        )
    click.echo(f"{READY}{where}")
