"""``tvmlcnn bench``."""

from __future__ import annotations

from dataclasses import asdict

import click

from .output import json_option, print_facts, print_json


@click.command("bench")
@click.argument("file")
@click.option("--threads", type=int, help="Default: all physical cores.")
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=3.0, show_default=True, help="How long."
)
@json_option
def command(file: str, threads: int | None, seconds: float, as_json: bool) -> None:
    """Measure the latency of the compiled model FILE on random input."""
    from tvmlcnn.runtime import load
    from tvmlcnn.runtime.latency import measure

    latency = measure(load(file, threads), seconds)
    if as_json:
        print_json(asdict(latency))
        return
    print_facts(
        [
            *((name, f"{getattr(latency, name):.2f} ms") for name in ("min", "p50", "p90", "p99")),
            ("runs/s", f"{latency.runs_per_second:.1f}"),
            ("runs", latency.runs),
            ("threads", latency.threads),
        ]
    )
