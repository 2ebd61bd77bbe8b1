"""Options that say what a network is computed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from . import completion

_OPTIONS = (
    click.option(
        "--dtype",
        default="float32",
        show_default=True,
        help="float32; float16, bfloat16 or tf32 where the target computes in it; or int8.",
    ),
    click.option(
        "--calibrate",
        "calibration",
        metavar="PATH",
        shell_complete=completion.files,
        help="For int8: a folder of photos, a .npy or .npz; or random.",
    ),
    click.option(
        "--keep-float",
        multiple=True,
        metavar="PATTERN",
        help="Layers that int8 leaves in float32, as 'classifier.*'; may be given several times.",
    ),
)


def precision_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``dtype``, ``calibration`` and ``keep_float``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
