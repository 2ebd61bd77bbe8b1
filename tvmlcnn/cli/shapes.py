"""The option ``--input-shape``, as several commands have it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tvmlcnn.input_form import InputForm, forms

shapes_option = click.option(
    "--input-shape",
    "shapes",
    multiple=True,
    metavar="NxCxHxW[:TYPE]",
    help="Shape of the input, once for each input; 1..8x3x224x224 takes each of the sizes.",
)


def read_shapes(texts: Sequence[str]) -> tuple[InputForm, ...] | None:
    """Read the option's words; None where it is not given."""
    return forms(tuple(texts)) if texts else None
