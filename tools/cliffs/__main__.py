"""``python -m tools.cliffs``."""

from __future__ import annotations

import logging
import os
import sys
import warnings

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--networks", type=click.IntRange(1), default=20, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the first network.")
@click.option("--target", default="native", show_default=True)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Profile and time each network for so long; 0 only compares it with torch.",
)
def command(networks: int, seed: int, target: str, seconds: float) -> None:
    """Compile random light networks and say what is wrong or slow.

    Each is compared with torch, its kernels are held against their rooflines on one thread, and
    the whole against ONNX Runtime. Exit code 1 where there is something to mend.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    warnings.simplefilter("ignore")  # deprecations that concern the frameworks' authors
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    import torch

    torch.set_num_threads(1)
    from .judge import judge
    from .networks import random_network

    verdicts = []
    for number in range(seed, seed + networks):
        network = random_network(number)
        verdict = judge(network, target, seconds)
        verdicts.append(verdict)
        shape = "x".join(map(str, network.shape))
        if verdict.failure is not None:
            click.echo(f"{network.name}  {shape}  {verdict.failure}")
        else:
            ratio = "" if verdict.ratio is None else f"  {verdict.ratio:.2f} of ONNX Runtime"
            click.echo(f"{network.name}  {shape}  error {verdict.error:.1e}{ratio}")
        if verdict.is_bad:
            click.echo(f"    {', '.join(network.kinds)}")
        for kernel in verdict.cliffs:
            layers = "+".join(kernel.call.layers) or kernel.call.function
            click.echo(
                f"    {kernel.roofline:.0%} of the roofline, {kernel.share:.0%} of the time: "
                f"{kernel.call.rule} {layers}"
            )
    bad = sum(verdict.is_bad for verdict in verdicts)
    failed = sum(verdict.failure is not None for verdict in verdicts)
    slower = sum(verdict.ratio is not None and verdict.ratio < 1 for verdict in verdicts)
    click.echo(
        f"{len(verdicts)} networks: {failed} failed, {sum(bool(v.cliffs) for v in verdicts)} with "
        f"slow kernels, {slower} slower than ONNX Runtime"
    )
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    command()
