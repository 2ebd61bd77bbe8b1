"""``tvmlcnn analyze``."""

from __future__ import annotations

from pathlib import Path

import click

from tvmlcnn.errors import UserError

from . import completion
from .analysis_tables import print_analysis, print_comparison
from .output import json_option, print_facts, print_json
from .shapes import read_shapes, shapes_option
from .trust import trust_option


@click.command("analyze")
@click.argument(
    "models", metavar="MODEL...", nargs=-1, required=True, shell_complete=completion.models
)
@click.option(
    "--target",
    shell_complete=completion.targets,
    help="Add the least time of each layer on this device.",
)
@click.option(
    "--dtype",
    default="float32",
    show_default=True,
    help="Count as if it computed in this: float32, float16, bfloat16, tf32 or int8.",
)
@shapes_option
@click.option(
    "--by",
    type=click.Choice(["layer", "type"]),
    help="A row a layer, or a row a type of operator. Default for one MODEL: type.",
)
@click.option(
    "--plot",
    "picture",
    metavar="FILE",
    shell_complete=completion.files,
    help="Draw one MODEL as .png or .svg.",
)
@click.option(
    "--profile",
    metavar="FILE",
    shell_complete=completion.files,
    help="What `tvmlcnn profile --json` printed: --plot marks what kernels reach.",
)
@trust_option
@json_option
def command(
    models: tuple[str, ...],
    target: str | None,
    dtype: str,
    shapes: tuple[str, ...],
    by: str | None,
    picture: str | None,
    trust: bool,
    profile: str | None,
    as_json: bool,
) -> None:
    """Count what MODEL computes and moves; with several, compare them.

    MODEL is what `tvmlcnn compile` takes; it is not run. Memory access is as the network is
    written; the least time on a target is after fusion. Guidelines are those of ShuffleNet V2:
    G1 equal channels, G2 few groups, G3 few branches, G4 few elementwise operators.
    """
    path = None if picture is None else _picture(picture, models)
    if profile is not None and (path is None or target is None):
        raise UserError(
            "--profile is for --plot with a --target, whose roofline it is held against"
        )
    from tvmlcnn.targets import resolve

    device = None if target is None else resolve(target)  # before torch is loaded
    try:
        from tvmlcnn.analysis import analyze, to_json
    except ModuleNotFoundError as error:
        raise UserError(
            f"the analyser needs {error.name}: pip install 'tvmlcnn[compile]'"
        ) from error
    input_shapes = read_shapes(shapes)
    analyses = [analyze(model, device, input_shapes, trust, dtype) for model in models]
    if path is not None:
        from tvmlcnn.analysis.layer_plot import write_plot
        from tvmlcnn.analysis.measured import measured

        timed = () if profile is None else measured(analyses[0].rows, Path(profile))
        write_plot(analyses[0], path, timed)
    if as_json:
        data = [to_json(analysis) for analysis in analyses]
        print_json(data if len(data) > 1 else data[0])
        return
    if len(analyses) > 1:
        print_comparison(analyses)
        if by is None:
            return
    for analysis in analyses:
        print_analysis(analysis, by or "type")
    if path is not None:
        print_facts([("picture", path)])


def _picture(name: str, models: tuple[str, ...]) -> Path:
    """Return the path of the picture, refused before work is spent on what it would show."""
    path = Path(name)
    if len(models) > 1:
        raise UserError("--plot draws one MODEL; draw each by itself")
    if path.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"--plot {name}: give a name that ends in .png or .svg")
    if not path.parent.is_dir():
        raise UserError(f"--plot {name}: the folder {path.parent} does not exist; create it")
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError("--plot needs matplotlib: pip install 'tvmlcnn[plot]'") from error
    return path
