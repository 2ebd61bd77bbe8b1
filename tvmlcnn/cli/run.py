"""``tvmlcnn run``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from . import completion
from .boards import board_options
from .output import json_option, print_facts, print_json

if TYPE_CHECKING:
    from tvmlcnn.runtime.output_summary import OutputSummary


@click.command("run")
@click.argument("file", shell_complete=completion.files)
@click.option(
    "--image",
    metavar="PHOTO",
    shell_complete=completion.files,
    help="A photo, preprocessed as the model wants it.",
)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="X.npy",
    shell_complete=completion.files,
    help="An array; once for each input.",
)
@click.option("--random", is_flag=True, help="Normally distributed input.")
@click.option(
    "-o",
    "--output",
    metavar="Y.npy",
    shell_complete=completion.files,
    help="Write the output (.npz for several; - to stdout).",
)
@click.option("--threads", type=int, help="Default: all physical cores.")
@board_options
@json_option
def command(
    file: str,
    image: str | None,
    inputs: tuple[str, ...],
    random: bool,
    output: str | None,
    threads: int | None,
    device: str | None,
    tracker: str | None,
    key: str | None,
    token_file: str | None,
    as_json: bool,
) -> None:
    """Run the compiled model FILE on a photo, on arrays, or on random input, here or on a board."""
    from pathlib import Path

    from tvmlcnn.files import is_stream
    from tvmlcnn.runtime import arrays as files
    from tvmlcnn.runtime import classify, load, read_manifest
    from tvmlcnn.runtime.manifest import RANDOM_WEIGHTS
    from tvmlcnn.runtime.output_summary import summarize
    from tvmlcnn.runtime.photo import read_photo

    if sum((image is not None, bool(inputs), random)) != 1:
        raise click.UsageError("give one of --image, --input and --random")
    _, model = read_manifest(file)
    if model.random_weights:
        click.echo(f"warning: {file}: {RANDOM_WEIGHTS}; compile it with --weights", err=True)
    if image is not None:
        arrays = [read_photo(image, model)]
    elif inputs:
        arrays = [files.read_array(path) for path in inputs]
    else:
        arrays = files.random_arrays(model.inputs)
    if device or tracker or key:
        from tvmlcnn.remote import boards

        where = device, tracker, key, 1, token_file
        with boards(*where) as (board,), board.session() as session:
            outputs = session.run(file, arrays, threads)
    else:
        result = load(file, threads)(*arrays)
        outputs = list(result) if isinstance(result, tuple) else [result]
    if output is not None:
        files.write_arrays(output, outputs)
        if is_stream(Path(output)):  # which nothing else may mix with
            return
    one = model.labels is not None and outputs[0].size == len(model.labels)  # of several sizes
    guesses = classify.top(outputs[0], model.labels) if model.labels and one else []
    summaries = list(map(summarize, model.outputs, outputs))
    if as_json:
        top, facts = ([asdict(each) for each in some] for some in (guesses, summaries))
        print_json({"top": top, "outputs": facts, "random_weights": model.random_weights})
    elif guesses:
        print_facts((f"{guess.score:.3f}", guess.label) for guess in guesses)
    else:
        print_facts(fact for summary in summaries for fact in _facts(summary))


def _facts(summary: OutputSummary) -> Iterator[tuple[str, str]]:
    name = f"{summary.name}: {summary.dtype} {'x'.join(map(str, summary.shape)) or 'scalar'}"
    if summary.min is None:
        yield name, "empty"
        return
    yield name, f"min {summary.min:.4g}, max {summary.max:.4g}"
    if summary.largest:
        largest = (f"[{each.index}] {each.value:.4g}" for each in summary.largest)
        yield "", f"largest {', '.join(largest)}"
