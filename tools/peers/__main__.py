"""``python -m tools.peers MODEL...``."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from contextlib import nullcontext
from pathlib import Path

import click
from click.core import ParameterSource

from tvmlcnn.cli.output import json_option, print_facts, print_json
from tvmlcnn.errors import UserError

from ..run_command import run_beside_libraries


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", metavar="MODEL...", nargs=-1)
@click.option(
    "--device",
    type=click.Choice(("cpu", "cuda")),
    default="cpu",
    show_default=True,
    help="cuda: this machine's NVIDIA GPU, all types and batches.",
)
@click.option("--target", default="native", show_default=True, help="What to compile for.")
@click.option(
    "--dtype",
    type=click.Choice(("float32", "bfloat16", "int8")),
    default="float32",
    show_default=True,
    help="What to compute in.",
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--peers", metavar="A,B,...", help="Only these; by default all.")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    help="Time a network for about so long, all frameworks together.",
)
@click.option(
    "--neighbours",
    type=click.IntRange(0),
    default=0,
    help="Keep so many of the CPUs busy with other programs; the medians tell then.",
)
@click.option("--rounds", type=click.IntRange(1), help="Time so many rounds instead.")
@click.option("--work", metavar="DIR", help="Keep converted networks here for the next time.")
@click.option("--plot", "picture", metavar="FILE.png", help="Draw the shares of the roofline.")
@json_option
def command(
    models: tuple[str, ...],
    device: str,
    target: str,
    dtype: str,
    threads: int,
    peers: str | None,
    seconds: float,
    neighbours: int,
    rounds: int | None,
    work: str | None,
    picture: str | None,
    as_json: bool,
) -> None:
    """Compile each MODEL and time it beside other frameworks, on pinned threads.

    MODEL is what `tvmlcnn compile` takes. Weights are random, the same for all. A ratio is how
    many times as fast as the best peer a framework is, by the fastest calls; the error is the
    largest difference from torch's output, over the output's range, marked above 1e-4. In fewer
    bits each framework is quantized by its own tools, from the same noise, and the signal to
    noise ratio of its outputs against float32's is marked below 15 dB. The roofline is a loop of
    multiply-adds on registers that is timed with the others; Winograd's algorithm needs fewer
    than are counted and can exceed it. Libraries see no instructions that the target lacks.

    On a GPU calls are timed from an array of the host to one, beside torch on cuDNN (channels last,
    TF32 off) and torch.compile, both launched and as a CUDA graph: in float32 and float16, at
    batch 1 and 8, by default eight networks.
    """
    if device == "cuda":
        _on_gpu(models, seconds, rounds, work, as_json)
        return
    if not models:
        raise UserError("name a MODEL, as `tvmlcnn compile` takes it")
    available = sorted(os.sched_getaffinity(0))
    if threads > len(available):
        raise UserError(f"--threads {threads}: this process has {len(available)} CPUs")
    if neighbours > threads:
        raise UserError(f"--neighbours {neighbours}: only {threads} CPUs are measured on")
    # Before any of the libraries counts the CPUs.
    os.sched_setaffinity(0, available[:threads])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    path = None if picture is None else _picture(picture)
    warnings.simplefilter("ignore")  # deprecations that concern the frameworks' authors

    from tvmlcnn.targets import resolve

    from .compare import compare
    from .frameworks import OURS, OURS_IN_FLOAT32, PEERS
    from .goals import GOALS, verdicts
    from .job import read
    from .processor import show, was_used
    from .results import to_json
    from .tables import print_comparison, print_summary

    chosen = PEERS if peers is None else tuple(peers.split(","))
    for name in chosen:
        if name not in PEERS:
            raise UserError(f"--peers {name}: there are {', '.join(PEERS)}")
    ours = (OURS,) if dtype == "float32" else (OURS, OURS_IN_FLOAT32)
    compiled_for = resolve(target)
    cpu = resolve("native").tvm["mcpu"]
    settings = f"{cpu}, {threads} thread{'s'[: threads > 1]}, {dtype}, compiled for {target}"
    if neighbours:
        settings += f", {neighbours} of the CPUs busy with another program"
    comparisons = []
    with tempfile.TemporaryDirectory(prefix="peers-") if work is None else nullcontext(work) as at:
        folder = Path(at)
        folder.mkdir(parents=True, exist_ok=True)
        shown = show(compiled_for, folder)
        jobs = [read(model, target, threads, dtype) for model in models]
        settings += f"; libraries see the processor {shown.text}"
        if not as_json:
            click.echo(f"{settings}\n")
        for job in jobs:
            comparison = compare(
                job, (*ours, *chosen), folder, seconds, rounds, neighbours, _progress
            )
            comparisons.append(comparison)
            if not as_json:
                print_comparison(comparison)
        if shown.is_less and was_used(folder):
            raise RuntimeError("a library found AMX, which was hidden from it")
    if as_json:
        print_json(to_json(comparisons, cpu, shown.text, target, threads))
    elif len(comparisons) > 1:
        print_summary(comparisons)
        if threads == 1:
            print_facts(verdicts(comparisons, GOALS.get((dtype, target), ())))
    if path is not None:
        from .bars import write_plot

        write_plot(comparisons, path, settings)


def _on_gpu(
    models: tuple[str, ...], seconds: float, rounds: int | None, work: str | None, as_json: bool
) -> None:
    """Compare on this machine's GPU; options of processors are refused."""
    context = click.get_current_context()
    for name in ("target", "dtype", "threads", "peers", "neighbours", "picture"):
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            option = {"picture": "plot"}.get(name, name)
            raise UserError(f"--{option} is not for --device cuda, which runs all types and peers")
    warnings.simplefilter("ignore")
    from .cuda import run

    with tempfile.TemporaryDirectory(prefix="peers-") if work is None else nullcontext(work) as at:
        found = run(models, seconds, rounds, Path(at), not as_json, _progress)
    if as_json:
        print_json(found)


def _progress(text: str) -> None:
    click.echo(f"{text} ...", err=True)


def _picture(name: str) -> Path:
    """Return the path of the picture, refused before work is spent on what it would show."""
    path = Path(name)
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise UserError(f"--plot {name}: give a name that ends in .png, in a folder that exists")
    return path


if __name__ == "__main__":
    sys.exit(run_beside_libraries(command))
