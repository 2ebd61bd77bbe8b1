"""What the package says while it works, on stderr."""

from __future__ import annotations

import logging

import click


class _Stderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        click.echo(record.getMessage(), err=True)


_stderr = _Stderr()


def install() -> None:
    """Print what the package logs, a line each."""
    logger = logging.getLogger("tvmlcnn")
    logger.setLevel(logging.INFO)
    logger.addHandler(_stderr)  # which is there once, however often it is added
