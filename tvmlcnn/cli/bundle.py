"""``tvmlcnn bundle``."""

from __future__ import annotations

from pathlib import Path

import click

from . import completion
from .output import json_option, print_facts, print_json


@click.command("bundle")
@click.argument("file", shell_complete=completion.files)
@click.option("-o", "--output", metavar="DIR", help="Default: the name of FILE without .so")
@json_option
def command(file: str, output: str | None, as_json: bool) -> None:
    """Write a folder with the compiled model FILE, its header and examples, to copy to a device."""
    from tvmlcnn.bundle import bundle

    folder = Path(output) if output is not None else Path(Path(file).stem)
    bundle(file, folder)
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    if as_json:
        print_json({"folder": str(folder), "bytes": sizes})
        return
    print_facts((name, f"{size / 1e3:.1f} kB") for name, size in sizes.items())
