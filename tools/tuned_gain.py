"""What the records of tuning gain: each network with and without them, in turns.

::

    python -m tools.tuned_gain --target x86 mobilenet_v2 resnet50
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from functools import partial
from pathlib import Path
from unittest import mock

import tvmlcnn
from tvmlcnn.cli.output import print_table
from tvmlcnn.records import geometric_mean
from tvmlcnn.runtime.arrays import random_arrays

from .peers.measure import interleave


def main() -> None:
    """Compile, measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="+")
    parser.add_argument("--target", default="x86")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0, help="a network")
    options = parser.parse_args()
    if options.threads == 1:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows, gains = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for network in options.networks:
            how = {"threads": options.threads, "check": False}
            tuned = tvmlcnn.compile(network, options.target, output=folder / "tuned.so", **how)
            nothing = folder / "nothing"
            with mock.patch("tvmlcnn.records.library.shipped_folder", return_value=nothing):
                tvmlcnn.compile(
                    network,
                    options.target,
                    output=folder / "untuned.so",
                    records=nothing,
                    **how,
                )
            times = _measured(folder, options.threads, options.seconds)
            least = {key: min(values) for key, values in times.items()}
            gains.append(least["untuned"] / least["tuned"])
            middle = {key: statistics.median(values) for key, values in times.items()}
            rows.append(
                (
                    network,
                    "{tuned} tuned, {default} default, of {of}".format(**tuned.records),
                    f"{least['untuned']:.2f}",
                    f"{least['tuned']:.2f}",
                    f"{gains[-1]:.3f}",
                    f"{middle['untuned'] / middle['tuned']:.3f}",
                )
            )
    rows.append(("geometric mean", "", "", "", f"{geometric_mean(gains):.3f}", ""))
    header = ("network", "records", "untuned ms", "tuned ms", "gain", "gain, median")
    print_table(header, rows)


def _measured(folder: Path, threads: int, seconds: float) -> dict[str, list[float]]:
    """Return the milliseconds of calls of both files, made in turns."""
    models = {key: tvmlcnn.load(folder / f"{key}.so", threads) for key in ("untuned", "tuned")}
    inputs = random_arrays(models["tuned"].inputs)
    calls = {key: partial(model, *inputs) for key, model in models.items()}
    return interleave(calls, seconds, failed=_failed)


def _failed(name: str, error: Exception) -> None:
    raise error


if __name__ == "__main__":
    main()
