"""``tvmlcnn tune``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from . import completion, interrupts
from .boards import board_options, parallel_option
from .output import json_option, print_json
from .precision import precision_options
from .progress import phases
from .records import records_option
from .shapes import read_shapes, shapes_option
from .trust import trust_option
from .weights import weights_option


@click.command("tune")
@click.argument(
    "models", metavar="MODEL...", nargs=-1, required=True, shell_complete=completion.models
)
@click.option(
    "--target",
    shell_complete=completion.targets,
    default="native",
    show_default=True,
    help="A target, or TVM's JSON.",
)
@weights_option
@shapes_option
@precision_options
@click.option(
    "--space",
    type=click.Choice(["template", "auto", "both"]),
    default="both",
    show_default=True,
    help="The rules' decisions, generated schedules for kernels that no rule claims, or both.",
)
@click.option("--trials", type=click.IntRange(min=1), help="Candidates, former runs' included.")
@click.option("--minutes", type=click.FloatRange(min=0), help="How long the run may take.")
@click.option(
    "--early-stop",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="A kernel is done after so many candidates without a better one.",
)
@click.option(
    "--tasks",
    "pattern",
    default="*",
    metavar="PATTERN",
    help="Only kernels whose layer or workload matches, such as 'features.0.*'.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Default: the board's cores.")
@records_option
@trust_option
@board_options
@parallel_option
@json_option
def command(
    models: tuple[str, ...],
    target: str,
    weights: str | None,
    shapes: tuple[str, ...],
    dtype: str,
    calibration: str | None,
    keep_float: tuple[str, ...],
    space: str,
    trials: int | None,
    minutes: float | None,
    early_stop: int,
    pattern: str,
    threads: int | None,
    folder: Path | None,
    trust: bool,
    device: str | None,
    tracker: str | None,
    key: str | None,
    token_file: str | None,
    parallel: int | None,
    as_json: bool,
) -> None:
    """Measure kernels of MODELs on a device, and record what is faster than the default.

    `compile` takes the records for its threads by itself. The same command goes on where it was
    stopped; without --trials or --minutes it ends when no kernel gets better any more.
    """
    from tvmlcnn.tuning.target import tuned_device

    # A typo, or a GPU that is not there, is told at once, before torch and TVM are loaded.
    tuned_device(target, device or tracker)
    from tvmlcnn.tuning.tune import prepare
    from tvmlcnn.tuning.tuner import Goal

    from .tuning_view import tuning_view

    with ExitStack() as boards:
        with phases(verbose=False) as progress:
            run = boards.enter_context(
                prepare(
                    models,
                    target,
                    input_shape=read_shapes(shapes),
                    weights=weights,
                    calibration=calibration,
                    keep_float=keep_float,
                    trust=trust,
                    goal=Goal(space, trials, minutes, early_stop, pattern, dtype=dtype),
                    threads=threads,
                    device=device,
                    tracker=tracker,
                    key=key,
                    parallel=parallel,
                    token_file=token_file,
                    records=folder,
                    progress=progress,
                )
            )
        with tuning_view(run.state) as refresh:

            def between() -> None:
                refresh()
                interrupts.check()

            run(between)
    if as_json:
        print_json(run.state.to_json() | {"records": str(run.store.folder)})
    else:
        click.echo(f"records are in {run.store.folder}; {run.command} takes them")
