"""OpenVINO, its CPU plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.peers.job import Job

from .onnx_file import onnx_file

_HINTS = {"float32": "f32", "bfloat16": "bf16"}
"""Of an int8 network it chooses itself what it computes the rest in."""


def convert(job: Job, folder: Path) -> None:
    """Have the ONNX file written; for int8 also ``model.xml``, quantized by NNCF."""
    source = onnx_file(job, folder)
    if job.dtype == "int8":
        import nncf
        import openvino

        model = openvino.Core().read_model(source)
        quantized = nncf.quantize(model, nncf.Dataset(list(job.observed)))
        openvino.save_model(quantized, folder / "model.xml", compress_to_fp16=False)


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return a request of the model compiled for latency.

    Its own pinning is off, since the process is pinned.
    """
    import openvino

    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": job.threads,
        "ENABLE_CPU_PINNING": False,
    }
    if job.dtype in _HINTS:
        settings["INFERENCE_PRECISION_HINT"] = _HINTS[job.dtype]
    path = folder / "model.xml" if job.dtype == "int8" else onnx_file(job, folder)
    model = core.compile_model(core.read_model(path), "CPU", settings)
    request = model.create_infer_request()
    return lambda image: request.infer([image], share_inputs=True, share_outputs=True)[0]
