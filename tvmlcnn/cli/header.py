"""``tvmlcnn header``."""

from __future__ import annotations

import click


@click.command("header")
def command() -> None:
    """Print tvmlcnn.h, by which programs in C call a compiled model."""
    from tvmlcnn.runtime.c import HEADER

    click.echo(HEADER.read_text("utf-8"), nl=False)
