"""ONNX Runtime, its CPU provider."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.peers.job import Job

from .onnx_file import INPUT, onnx_file


def convert(job: Job, folder: Path) -> None:
    """Have the ONNX file written."""
    onnx_file(job, folder)


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a session with every graph optimization."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(
        onnx_file(job, folder), options, providers=["CPUExecutionProvider"]
    )
    return lambda image: session.run(None, {INPUT: image})[0]
