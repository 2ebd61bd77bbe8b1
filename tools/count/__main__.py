"""``python -m tools.count MODEL...``."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import click

from tvmlcnn.cli.output import json_option, print_json
from tvmlcnn.errors import UserError

from ..run_command import run_beside_libraries


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--target", default="rpi4", show_default=True, help="What to compile for.")
@click.option("--dtype", default="float32", show_default=True, help="As of tvmlcnn compile.")
@click.option("--peers", metavar="A,B,...", help="Other frameworks, or all; by default none.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Compile for so many; one is counted, and what all would take is predicted.",
)
@click.option("--kernels", is_flag=True, help="Show each kernel.")
@click.option(
    "--most",
    type=float,
    metavar="R",
    help="Exit with 1 where a network takes more than R times the best peer's cycles.",
)
@click.option("--work", metavar="DIR", help="Keep peers' networks and figures for the next time.")
@json_option
def command(
    models: tuple[str, ...],
    target: str,
    dtype: str,
    peers: str | None,
    threads: int,
    kernels: bool,
    most: float | None,
    work: str | None,
    as_json: bool,
) -> None:
    """Compile each MODEL, run it once in emulation of the target's core, and count.

    MODEL is what `tvmlcnn compile` takes; weights and input are random, the same for all.
    Instructions are those that one inference on one thread executes, in millions (of kernels, in
    thousands): multiply-adds of vectors (fmla; dot, of integers), loads, stores, and those of them
    that access the stack. Cycles are a model's: llvm-mca's for each block of code that ran, with
    all data in the first cache, all branches foreseen, and nothing left over from the block before.
    They are no time. A ratio is to the best peer's cycles.

    What --threads predicts follows from how loops are divided, and from the bytes that come from
    memory at its nominal bandwidth.
    """
    warnings.simplefilter("ignore")
    from tools.peers.job import read

    from . import programs
    from .count import count
    from .peers import PEERS
    from .results import to_json
    from .tables import print_count, print_kernels, print_prediction, print_summary

    names = tuple(PEERS) if peers == "all" else tuple(filter(None, (peers or "").split(",")))
    for name in names:
        if name not in PEERS:
            raise UserError(f"--peers {name}: there are {', '.join(PEERS)}")
    if most is not None and not names:
        raise UserError("--most is a ratio to peers: name them with --peers")
    programs.install()
    counts = []
    with tempfile.TemporaryDirectory(prefix="count-") as at:
        folder = Path(work or at)
        folder.mkdir(parents=True, exist_ok=True)
        for model in models:
            # Peers compute in float16 of float32's files; for int8 all are calibrated alike.
            job = read(model, target, threads, dtype if dtype == "int8" else "float32")
            counts.append(count(job, names, dtype, folder, _progress))
            if as_json:
                continue
            if kernels:
                click.echo(f"{model}, kernel by kernel, in thousands")
                print_kernels(counts[-1].ours)
            core = counts[-1].core
            click.echo(
                f"{core.emulated}, 1 thread, {dtype}; millions of instructions, "
                f"and of cycles of a model of a {core.model}"
            )
            print_count(counts[-1])
            if counts[-1].prediction:
                print_prediction(counts[-1].prediction)
    if as_json:
        print_json(to_json(counts))
    elif len(counts) > 1:
        print_summary(counts)
    ratios = [each.ratio("cycles") for each in counts]
    if most is not None and any(ratio is None or ratio > most for ratio in ratios):
        raise click.exceptions.Exit(1)


def _progress(text: str) -> None:
    click.echo(f"{text} ...", err=True)


if __name__ == "__main__":
    sys.exit(run_beside_libraries(command))
