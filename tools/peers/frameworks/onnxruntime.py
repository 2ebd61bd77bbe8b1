"""ONNX Runtime, its CPU provider."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tools.peers.job import Job
from tools.peers.measure import SETTLE, interleave

from .onnx_file import INPUT, onnx_file


def convert(job: Job, folder: Path) -> None:
    """Have the ONNX file written."""
    onnx_file(job, folder)


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a session with every graph optimization.

    Between parallel regions its threads poll or sleep, whichever is faster here: polling is where
    the cores are idle otherwise.
    """
    if job.threads == 1:
        return _session(job, folder, polls=True)
    both = {name: _session(job, folder, name == "polls") for name in ("polls", "sleeps")}
    calls = {name: partial(call, job.input) for name, call in both.items()}
    times = interleave(calls, 0, settle=SETTLE)
    return both[min(times, key=lambda name: min(times[name]))]


def _session(job: Job, folder: Path, polls: bool) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(polls)))
    session = onnxruntime.InferenceSession(
        onnx_file(job, folder), options, providers=["CPUExecutionProvider"]
    )
    return lambda image: session.run(None, {INPUT: image})[0]
