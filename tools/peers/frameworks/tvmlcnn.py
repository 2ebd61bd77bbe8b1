"""tvmlcnn: what is compared with the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tools.peers.job import Job


def convert(job: Job, folder: Path) -> None:
    """Compile ``model.so``; its numbers are checked with all the others'."""
    import tvmlcnn
    from tvmlcnn.quantization.calibration import RANDOM  # of which the job's inputs are

    tvmlcnn.compile(
        job.module,
        job.target,
        job.input.shape,
        output=folder / "model.so",
        threads=job.threads,
        check=False,
        dtype=job.dtype,
        calibration=RANDOM if job.dtype == "int8" else None,
    )


def convert_in_float32(job: Job, folder: Path) -> None:
    """Compile the same network in float32."""
    convert(replace(job, dtype="float32"), folder)


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Load the file as an application does."""
    import tvmlcnn

    return tvmlcnn.load(folder / "model.so", threads=job.threads)
