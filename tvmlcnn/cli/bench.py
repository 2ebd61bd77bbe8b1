"""``tvmlcnn bench``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from tvmlcnn.errors import UserError

from . import completion
from .boards import board_options
from .output import json_option, print_facts, print_json


@click.command("bench")
@click.argument("file", shell_complete=completion.files)
@click.option("--threads", type=int, help="Default: all physical cores.")
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=3.0, show_default=True, help="How long."
)
@click.option(
    "--report",
    metavar="FILE.json",
    help="Write what to send to others: the times on one thread and on all, and what the board is.",
)
@board_options
@json_option
def command(
    file: str,
    threads: int | None,
    seconds: float,
    report: str | None,
    device: str | None,
    tracker: str | None,
    key: str | None,
    token_file: str | None,
    as_json: bool,
) -> None:
    """Measure the latency of the compiled model FILE on random input, here or on a board."""
    from tvmlcnn.runtime import load, machine, read_manifest
    from tvmlcnn.runtime.latency import measure

    if report:
        if device or tracker or key or threads:
            raise UserError("--report is of this machine, on one thread and on all", ("report",))
        _write_report(file, seconds, Path(report))
        return
    if device or tracker or key:
        from tvmlcnn.remote import boards

        where = device, tracker, key, 1, token_file
        read_manifest(file)
        with boards(*where) as (board,), board.session() as session:
            latency = session.bench(file, threads, seconds)
            name, facts = board.name, board.facts()
            model, emulated = facts["model"], facts["emulated"]
    else:
        latency = measure(load(file, threads), seconds)
        name, model, emulated = "this machine", machine.model(), machine.emulated()
    model = latency.gpu or model
    if as_json:
        print_json(
            asdict(latency) | {"device": {"name": name, "model": model, "emulated": emulated}}
        )
        return
    print_facts(
        [
            *((name, f"{getattr(latency, name):.2f} ms") for name in ("min", "p50", "p90", "p99")),
            *([] if latency.graph is None else [("as one graph", f"{latency.graph:.3f} ms")]),
            ("runs/s", f"{latency.runs_per_second:.1f}"),
            ("runs", latency.runs),
            ("threads", latency.threads),
            ("device", f"{name}, {model}" if model else name),
            *([("note", _EMULATED)] if emulated else []),
        ]
    )


def _write_report(file: str, seconds: float, path: Path) -> None:
    from tvmlcnn.files import check_writable, write_whole
    from tvmlcnn.runtime.board_report import report

    check_writable(path)
    text = json.dumps(report(file, seconds), indent=2) + "\n"
    write_whole(path, lambda output: output.write(text.encode()))
    click.echo(f"wrote {path}")


_EMULATED = "emulated: these times say nothing about a real board"
