"""``tvmlcnn device``: the server of a board, the tracker of a fleet, and its list."""

from __future__ import annotations

from typing import Any

import click

from .boards import token_option
from .output import json_option, print_json, print_table

_host = click.option(
    "--host", default="127.0.0.1", show_default=True, help="The address to listen on."
)


_PORT: dict[str, Any] = {
    "type": click.IntRange(0, 65535),
    "show_default": True,
    "help": "0: any free one.",
}


@click.group("device")
def command() -> None:
    """Lend this machine to others, keep a fleet of boards, and list it."""


@command.command("serve")
@_host
@click.option("--port", default=9090, **_PORT)
@click.option("--tracker", metavar="HOST:PORT", help="Register with a tracker; with --key.")
@click.option("--key", help="The kind of board that clients ask the tracker for, such as rpi4.")
@token_option("Serve only those who have the token in FILE.")
@click.option("--starter", metavar="PATH|PORT", hidden=True)
def _serve(
    host: str,
    port: int,
    tracker: str | None,
    key: str | None,
    token_file: str | None,
    starter: str | None,
) -> None:
    """Let others run and measure kernels on this machine, one client at a time.

    Needs neither torch nor the compiler. Ctrl-C ends it.
    """
    from tvmlcnn.remote.serve import serve, serve_starter

    if starter is not None:
        serve_starter(starter)
    else:
        serve(host, port, tracker, key, token_file)


@command.command("tracker")
@_host
@click.option("--port", default=9190, **_PORT)
def _tracker(host: str, port: int) -> None:
    """Run TVM's tracker, which lends the boards that register with it. Ctrl-C ends it."""
    from tvmlcnn.remote.serve import serve_tracker

    serve_tracker(host, port)


@command.command("list")
@click.option("--tracker", metavar="HOST:PORT", required=True, help="The fleet's tracker.")
@json_option
def _list(tracker: str, as_json: bool) -> None:
    """List the boards that a tracker knows."""
    from tvmlcnn.remote import tracker as client
    from tvmlcnn.remote.wire import parse_address

    entries = client.entries(parse_address(tracker, "tracker"))
    if as_json:
        print_json(
            {
                "boards": [
                    {"key": e.key, "address": e.address, "busy": e.busy} | e.facts for e in entries
                ]
            }
        )
        return
    states = {True: "busy", False: "free", None: "?"}
    print_table(
        ("key", "address", "state", "machine", "board"),
        (
            (
                e.key,
                e.address,
                states[e.busy],
                e.facts.get("machine", "?"),
                e.facts.get("model", "?"),
            )
            for e in entries
        ),
    )
