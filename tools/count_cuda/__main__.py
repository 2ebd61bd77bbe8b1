"""``python -m tools.count_cuda MODEL...``."""

from __future__ import annotations

import sys
import warnings

import click

from tvmlcnn.cli.output import json_option, print_json
from tvmlcnn.errors import UserError

from ..run_command import run_beside_libraries


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
@click.option("--target", default="jetson-orin-nano", show_default=True, help="A GPU.")
@click.option(
    "--dtype", default="float32", show_default=True, help="float32, float16, tf32 or int8."
)
@click.option("--kernels", is_flag=True, help="Show each kernel.")
@json_option
def command(models: tuple[str, ...], target: str, dtype: str, kernels: bool, as_json: bool) -> None:
    """Compile each MODEL for a GPU, and count its machine code; no GPU is needed.

    MODEL is what `tvmlcnn compile` takes. Instructions are those that warps execute, over those
    that the network's multiply-adds need at one FFMA a lane. Traffic is global memory's over the
    compulsory: what each layer reads and writes at least, fused. It is counted three times: each
    tensor of a kernel once (as where the second cache holds it), each sector of 32 bytes once for a
    block (what leaves the multiprocessors), and once for each access of a warp. Of a launch some
    blocks are run, in emulation of integers only, and stand for all.

    None of it is a time.
    """
    warnings.simplefilter("ignore")
    from tvmlcnn.analysis.cuda import count_network
    from tvmlcnn.targets import Gpu, resolve

    from .tables import print_kernels, print_networks, to_json

    gpu = resolve(target)
    if not isinstance(gpu, Gpu):
        raise UserError(f"{target} is no GPU; `python -m tools.count` counts for CPUs")
    counts = []
    for model in models:
        click.echo(f"{model} ...", err=True)
        counts.append(count_network(model, gpu, dtype))
        if kernels and not as_json:
            print_kernels(counts[-1])
    if as_json:
        print_json(to_json(counts))
    else:
        print_networks(counts)


if __name__ == "__main__":
    sys.exit(run_beside_libraries(command))
