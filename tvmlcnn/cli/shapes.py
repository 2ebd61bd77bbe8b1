"""The option ``--input-shape``, as several commands have it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tvmlcnn.errors import UserError

shapes_option = click.option(
    "--input-shape",
    "shapes",
    multiple=True,
    metavar="NxCxHxW",
    help="Shape of the input; once for each input.",
)


def read_shapes(texts: Sequence[str]) -> list[tuple[int, ...]] | None:
    """Read shapes like ``1x3x224x224``; None where none is given."""
    return [_read(text) for text in texts] or None


def _read(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in text.lower().replace(",", "x").split("x"))
    except ValueError as error:
        raise UserError(f"--input-shape {text!r} is no shape; write 1x3x224x224") from error
