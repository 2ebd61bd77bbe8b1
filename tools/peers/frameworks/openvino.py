"""OpenVINO, its CPU plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.peers.job import Job

from .onnx_file import onnx_file


def convert(job: Job, folder: Path) -> None:
    """Have the ONNX file written."""
    onnx_file(job, folder)


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a request of the model compiled for latency, in float32.

    Its own pinning is off, since the process is pinned.
    """
    import openvino

    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": job.threads,
        "INFERENCE_PRECISION_HINT": "f32",
        "ENABLE_CPU_PINNING": False,
    }
    model = core.compile_model(core.read_model(onnx_file(job, folder)), "CPU", settings)
    request = model.create_infer_request()
    return lambda image: request.infer([image], share_inputs=True, share_outputs=True)[0]
