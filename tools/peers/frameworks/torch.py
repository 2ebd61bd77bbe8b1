"""torch itself, eagerly, on oneDNN."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.fx.experimental.optimization import fuse

from tools.peers.job import Job


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the module, channels last and with batch norm folded where torch.fx can trace it."""
    torch.set_num_threads(job.threads)
    try:
        module = fuse(job.module)
    except Exception:  # whatever a network does that cannot be traced
        module = job.module
    if job.input.ndim == 4:
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    dtype = getattr(torch, job.dtype)
    module = copy.deepcopy(module).to(dtype)

    def call(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(image).to(dtype)).float().numpy()

    return call
