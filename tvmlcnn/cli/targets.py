"""``tvmlcnn targets``."""

from __future__ import annotations

import click

from .output import json_option, print_json, print_table


@click.command("targets")
@json_option
def command(as_json: bool) -> None:
    """List the devices to compile for."""
    from tvmlcnn.targets import ALIASES, AT_HAND, devices

    also = {name: summary for name, (summary, _) in AT_HAND.items()}
    also |= {name: f"same as {other}" for name, other in ALIASES.items()}
    if as_json:
        known = [
            {"name": d.name, "summary": d.summary, "machine": d.machine, "tvm": d.tvm}
            for d in devices().values()
        ]
        others = [{"name": name, "summary": summary} for name, summary in also.items()]
        print_json({"targets": known + others})
        return
    rows = [(device.name, device.machine, device.summary) for device in devices().values()]
    print_table(
        ("target", "machine", "device"),
        [*rows, *((name, "", summary) for name, summary in also.items())],
    )
