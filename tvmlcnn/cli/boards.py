"""The options that say where to run: on this machine, on a board, or on a tracker's boards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from . import completion

_C = TypeVar("_C", bound=Callable[..., Any])


def token_option(what: str) -> Callable[[_C], _C]:
    """Return the option ``--token-file``: of a file, so that no list of processes has the token."""
    return click.option(
        "--token-file",
        metavar="FILE",
        shell_complete=completion.files,
        envvar="TVMLCNN_TOKEN_FILE",
        show_envvar=True,
        help=what,
    )


_OPTIONS = (
    click.option(
        "--device",
        metavar="WHERE",
        help="A board: HOST:PORT of `tvmlcnn device serve`, or USER@HOST[:VENV] over ssh.",
    ),
    click.option(
        "--tracker", metavar="HOST:PORT", help="A tracker that lends a board; with --key."
    ),
    click.option("--key", help="The kind of board to ask the tracker for."),
    token_option("The token of boards that ask for one."),
)


def board_options(command: _C) -> _C:
    """Add ``--device``, ``--tracker``, ``--key`` and ``--token-file``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


parallel_option = click.option(
    "--parallel",
    type=click.IntRange(min=1),
    help="Boards of the tracker to use at most. Default: all that are free.",
)
