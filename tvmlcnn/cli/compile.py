"""``tvmlcnn compile``."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from . import completion
from .output import json_option, layers_text, print_facts, print_json
from .precision import precision_options
from .progress import phases
from .records import records_option
from .shapes import read_shapes, shapes_option
from .trust import trust_option
from .weights import weights_option


@click.command("compile")
@click.argument("model", shell_complete=completion.models)
@click.option(
    "--target",
    shell_complete=completion.targets,
    default="x86",
    show_default=True,
    help="A target, or TVM's JSON.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=completion.files,
    help="Default: MODEL-TARGET.so",
)
@weights_option
@shapes_option
@click.option(
    "--input",
    "given",
    default="float32",
    show_default=True,
    metavar="TYPE",
    help="float32, normalized; or uint8: frames of a camera, which the file normalizes.",
)
@click.option("--resize", is_flag=True, help="Take frames of any size; the file resizes them.")
@precision_options
@click.option("--threads", type=int, help="Threads to compile for, and to use by default.")
@records_option
@click.option("--no-check", is_flag=True, help="Do not compare the result with torch.")
@trust_option
@click.option("--dump-ir", metavar="DIR", help="Write the module after each phase into DIR.")
@json_option
@click.option("-v", "--verbose", is_flag=True, help="List phases, and kernels on the default rule.")
def command(
    model: str,
    target: str,
    output: str | None,
    weights: str | None,
    shapes: tuple[str, ...],
    given: str,
    resize: bool,
    dtype: str,
    calibration: str | None,
    keep_float: tuple[str, ...],
    threads: int | None,
    folder: Path | None,
    no_check: bool,
    trust: bool,
    dump_ir: str | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Compile MODEL into one file that runs it on a target.

    MODEL is a name of the zoo (`tvmlcnn models`), FILE.py:FACTORY, package.module:FACTORY, or a
    .pt2 file from torch.export.save. TARGET is a name (`tvmlcnn targets`) or TVM's JSON.
    """
    import tvmlcnn
    from tvmlcnn.targets import resolve

    resolve(target)  # a typo is told at once, before torch and TVM are loaded
    with phases(verbose) as progress:
        progress("load torch and TVM")
        began = time.perf_counter()
        do_compile = tvmlcnn.compile
        loading = {"load torch and TVM": time.perf_counter() - began}
        report = do_compile(
            model,
            target=target,
            input_shape=read_shapes(shapes),
            weights=weights,
            output=output,
            input=given,
            resize=resize,
            dtype=dtype,
            calibration=calibration,
            keep_float=keep_float,
            threads=threads,
            records=folder,
            check=not no_check,
            trust=trust,
            dump_ir=dump_ir,
            progress=progress,
        )
    report = replace(report, seconds=loading | report.seconds)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        print_json(report.to_json())
        return
    print_facts(report.facts(every_phase=verbose))
    if verbose:
        print_facts(
            (
                call["rule"],
                layers_text(call["layers"], call["function"])
                + (f": {reason}" if (reason := report.given_up.get(call["function"])) else ""),
            )
            for call in report.manifest["calls"]
            if call["rule"] == report.default_rule
        )
        print_facts(("transposed for", operator) for operator in report.turned_back)
