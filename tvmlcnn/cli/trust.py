"""The option ``--trust``, as several commands have it."""

from __future__ import annotations

import click

trust_option = click.option(
    "--trust", is_flag=True, help="Let code run that is in a .pt2 file, as in pickled objects."
)
