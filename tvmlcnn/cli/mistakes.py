"""What a user did wrong, in the words of the command line."""

from __future__ import annotations

from collections.abc import Iterator

import click

from tvmlcnn.errors import UserError


def message(error: UserError, command: click.Command) -> str:
    """Return an error's message, with the options of the command that it is about."""
    options = list(_options(command))
    named = [
        next((flag for flag, names in options if parameter in names), None)
        for parameter in error.parameters
    ]
    flags = ", ".join(filter(None, named))
    return f"{error} ({flags})" if flags else str(error)


def _options(command: click.Command) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the options of a command and of those below it, each with the parameters it stands for.

    Those are its variable and the option's own words, as ``input_shape`` of ``--input-shape``.
    """
    for option in command.params:
        if isinstance(option, click.Option):
            flag = max(option.opts, key=len)
            yield flag, (option.name or "", flag.lstrip("-").replace("-", "_"))
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from _options(below)
