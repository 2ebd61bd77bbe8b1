"""Compiling a network and counting what it runs."""

from __future__ import annotations

from pathlib import Path

import tvmlcnn
from tvmlcnn.analysis.counting import core, count_file
from tvmlcnn.targets import resolve

from .results import Count


def count_network(network: str, target: str, dtype: str, folder: Path) -> Count:
    """Compile a network for a target and one thread, with random weights, and count a run of it.

    Its result is not compared with torch's: `tvmlcnn compile` does that.

    Raises
    ------
    UserError
        If there is no such network or target, or no model of the target's core.
    """
    its_core = core(resolve(target).processor)
    path = folder / f"{len(list(folder.iterdir()))}.so"
    tvmlcnn.compile(
        network,
        target,
        output=path,
        dtype=dtype,
        calibration="random" if dtype == "int8" else None,
        threads=1,
        check=False,
    )
    return Count(network, target, dtype, its_core, count_file(path))
