"""MNN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.peers.job import Job

from .onnx_file import INPUT, OUTPUT, onnx_file


def convert(job: Job, folder: Path) -> None:
    """Write ``model.mnn``."""
    # The command mnnconvert is this function, and a module that installs packages with pip when
    # it is imported and reports each conversion to a server.
    import _tools

    source = str(onnx_file(job, folder))
    files = ["--modelFile", source, "--MNNModel", str(folder / "model.mnn")]
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *files, "--bizCode", "tvmlcnn"])


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the module with high precision, which is float32."""
    from MNN import expr, nn

    settings = {"backend": "CPU", "precision": "high", "numThread": job.threads}
    runtime = nn.create_runtime_manager((settings,))
    module = nn.load_module_from_file(
        str(folder / "model.mnn"), [INPUT], [OUTPUT], runtime_manager=runtime, shape_mutable=False
    )
    variable = expr.placeholder(list(job.input.shape), expr.NCHW)

    def call(image: np.ndarray) -> np.ndarray:
        variable.write(image)
        return module.forward([variable])[0].read()

    return call
