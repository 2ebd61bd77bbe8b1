"""The option ``--weights``, as several commands have it."""

from __future__ import annotations

import click

from . import completion

weights_option = click.option(
    "--weights",
    metavar="FILE",
    shell_complete=completion.files,
    help="A torch state dict or .safetensors; or imagenet.",
)
