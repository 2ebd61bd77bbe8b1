"""``python -m tools.count MODEL...``."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import click

from tvmlcnn.cli.output import json_option, print_json

from ..run_command import run_command


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--target", default="rpi4", show_default=True, help="What to compile for.")
@click.option("--dtype", default="float32", show_default=True, help="As of tvmlcnn compile.")
@click.option("--kernels", is_flag=True, help="Show each kernel.")
@json_option
def command(models: tuple[str, ...], target: str, dtype: str, kernels: bool, as_json: bool) -> None:
    """Compile each MODEL, run it once in emulation of the target's core, and count.

    MODEL is what `tvmlcnn compile` takes; weights and input are random. Instructions are those that
    one inference on one thread executes, in millions (of kernels, in thousands): multiply-adds of
    vectors (fmla; dot, of integers), loads, stores, and those of them that access the stack. Cycles
    are a model's: llvm-mca's for each block of code that ran, with all data in the first cache, all
    branches foreseen, and nothing left over from the block before. They are no time.
    """
    warnings.simplefilter("ignore")
    from . import programs
    from .compiled import count_network
    from .results import to_json
    from .tables import print_counts, print_kernels

    programs.install()
    counts = []
    with tempfile.TemporaryDirectory(prefix="count-") as folder:
        for model in models:
            click.echo(f"{model}: compiling and counting ...", err=True)
            counts.append(count_network(model, target, dtype, Path(folder)))
            if kernels and not as_json:
                click.echo(f"{model} for {target}, {dtype}, in thousands")
                print_kernels(counts[-1].ours)
    if as_json:
        print_json(to_json(counts))
        return
    core = counts[0].core
    click.echo(
        f"{core.emulated}, 1 thread, {dtype}; millions of instructions, "
        f"and of cycles of a model of a {core.model}"
    )
    print_counts(counts)


def main() -> int:
    """Run the command; a user's mistake gives one line and exit code 2."""
    return run_command(command)


if __name__ == "__main__":
    sys.exit(main())
