"""All networks, types and batches, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import torch

from tvmlcnn.cli.output import print_facts
from tvmlcnn.errors import UserError
from tvmlcnn.runtime.nvidia import find_gpu

from ..goals import HEAVY, LIGHT, ON_GPU, verdicts
from ..results import Comparison, to_json
from ..tables import print_comparison, print_summary
from .compare import compare_on_gpu
from .frameworks import FRAMEWORKS
from .gpu_job import BATCHES, DTYPES, read


def run(
    models: Sequence[str],
    seconds: float,
    rounds: int | None,
    folder: Path,
    show: bool,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Compare on this machine's GPU; return all as a JSON object.

    Parameters
    ----------
    models : sequence of str
        By default the eight networks that goals are of.
    seconds, rounds
        As `tools.peers.measure.interleave` takes them, for each network, type and batch.
    folder : Path
        For files of frameworks.
    show : bool
        Whether to print tables meanwhile.
    progress : callable
        Gets what is done next.

    Raises
    ------
    UserError
        If there is no GPU, or torch sees none.
    """
    gpu = find_gpu()
    if not torch.cuda.is_available():
        raise UserError("torch sees no GPU here; install its build for CUDA")
    groups: dict[str, dict[str, Any]] = {}
    for dtype in DTYPES:
        for batch in BATCHES:
            comparisons: list[Comparison] = []
            for number, model in enumerate(models or LIGHT + HEAVY):
                job = read(model, batch, dtype)
                at = folder / f"{dtype}-{batch}-{number}"
                found = compare_on_gpu(job, FRAMEWORKS, at, seconds, rounds, progress)
                comparisons.append(found)
                if show:
                    print_comparison(found)
            if show:
                click.echo(f"{gpu.name}, {dtype}, batch {batch}; from host to host")
                print_summary(comparisons)
                if batch == 1:
                    print_facts(verdicts(comparisons, ON_GPU))
            groups[f"{dtype}, batch {batch}"] = to_json(comparisons, gpu.name, "", "cuda-native", 1)
    return groups
