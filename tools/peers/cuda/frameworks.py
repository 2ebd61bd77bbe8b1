"""What is compared on a GPU; a new framework is one entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import tvmlcnn
from tvmlcnn.targets.cuda_native import NAME as HERE

from .gpu_job import GpuJob
from .torch_calls import Call, compiled, eager_call, graph_call, prepared


@dataclass(frozen=True)
class Framework:
    """A framework.

    Attributes
    ----------
    title : str
    load : callable
        Takes a job and an empty folder, returns a call: an array of the host in, one out.
    """

    title: str
    load: Callable[[GpuJob, Path], Call]


def _tvmlcnn(job: GpuJob, folder: Path) -> Call:
    path = folder / "model.so"
    shape = job.input.shape
    tvmlcnn.compile(job.module, HERE, shape, output=path, check=False, dtype=job.dtype)
    model = tvmlcnn.load(path)

    def call(image: np.ndarray) -> np.ndarray:
        return np.asarray(model(image))

    return call


def _device() -> torch.device:
    return torch.device("cuda")


OURS = "tvmlcnn"
FRAMEWORKS: dict[str, Framework] = {
    OURS: Framework("tvmlcnn", _tvmlcnn),
    "torch": Framework(
        "torch, cuDNN", lambda job, _: eager_call(job, prepared(job, _device()), _device())
    ),
    "torch-graph": Framework(
        "torch, cuDNN, CUDA graph",
        lambda job, _: graph_call(job, prepared(job, _device()), _device()),
    ),
    "compile": Framework(
        "torch.compile",
        lambda job, _: eager_call(job, compiled(prepared(job, _device())), _device()),
    ),
    "compile-graph": Framework(
        "torch.compile, CUDA graph",
        lambda job, _: graph_call(job, compiled(prepared(job, _device())), _device()),
    ),
}
"""By the name of their row; the first is ours."""
