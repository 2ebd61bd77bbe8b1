"""``tvmlcnn models``."""

from __future__ import annotations

import click

from tvmlcnn.errors import UserError

from .output import json_option, print_json, print_table


@click.command("models")
@json_option
def command(as_json: bool) -> None:
    """List the networks of the zoo with their options, and those of other installed packages.

    Options, here with their defaults, are given as in a URL: mobilenet_v2?width=0.5&resolution=160
    """
    from tvmlcnn.zoo_listing import listing

    try:
        known = listing()
    except ModuleNotFoundError as error:
        raise UserError(f"the zoo needs {error.name}: pip install 'tvmlcnn[compile]'") from error
    if as_json:
        print_json(
            {
                "models": [
                    {
                        "name": entry.name,
                        "options": entry.options,
                        "input_shape": entry.input_shape,
                        "top1": entry.top1,
                        "source": entry.source,
                    }
                    for entry in known
                ]
            }
        )
        return
    print_table(
        ("model", "input", "top-1 %", "options", "source"),
        (
            (
                entry.name,
                "x".join(map(str, entry.input_shape)),
                "" if entry.top1 is None else entry.top1,
                ", ".join(f"{name}={value}" for name, value in entry.options.items()),
                entry.source,
            )
            for entry in known
        ),
        spare=("source",),
    )
