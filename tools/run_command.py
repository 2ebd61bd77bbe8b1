"""How the tools' commands end: as tvmlcnn's own do."""

from __future__ import annotations

import os
import sys

import click

from tvmlcnn.errors import UserError


def run_command(command: click.Command) -> int:
    """Run a command; a user's mistake gives one line and exit code 2, an interruption 130.

    Otherwise the exit code is the command's own (`click.exceptions.Exit`), or 0.
    """
    try:
        return int(command(standalone_mode=False) or 0)
    except (UserError, click.ClickException) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        click.echo(f"error: {message}", err=True)
        return 2
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130


def run_beside_libraries(command: click.Command) -> int:
    """Run a command alike; what libraries print by themselves is not on its stdout."""
    sys.stdout = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        return run_command(command)
    finally:
        sys.stdout.flush()
