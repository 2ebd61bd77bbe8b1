"""MNN."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.peers.job import Job

from .onnx_file import INPUT, OUTPUT, onnx_file


def convert(job: Job, folder: Path) -> None:
    """Write ``model.mnn``, for int8 with what mnnquant makes of it."""
    # The command mnnconvert is this function, and a module that installs packages with pip when
    # it is imported and reports each conversion to a server.
    import _tools

    source = str(onnx_file(job, folder))
    path = folder / "model.mnn"
    written = folder / "float.mnn" if job.dtype == "int8" else path
    files = ["--modelFile", source, "--MNNModel", str(written)]
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", *files, "--bizCode", "tvmlcnn"])
    if job.dtype == "int8":
        settings = folder / "quantization.json"
        settings.write_text(json.dumps(_quantization(job, folder / "observed")))
        _tools.mnnquant(["mnnquant", str(written), str(path), str(settings)])
        if not path.exists():
            raise RuntimeError("mnnquant wrote nothing")


def _quantization(job: Job, inputs: Path) -> dict[str, object]:
    """Write inputs as mnnquant reads what is no photo, and return its settings.

    Of its methods "EMA" is the one that does not crash with such inputs.
    """
    shapes = [{"name": INPUT, "shape": job.input.shape}]
    for number, array in enumerate(job.observed):
        each = inputs / f"{number}"
        each.mkdir(parents=True)
        np.savetxt(each / f"{INPUT}.txt", array.reshape(1, -1), "%.6g")
        (each / "input.json").write_text(json.dumps({"inputs": shapes, "outputs": [OUTPUT]}))
    return {
        "input_type": "sequence",
        "inputs": shapes,
        "path": f"{inputs}/",
        "used_sample_num": len(job.observed),
        "feature_quantize_method": "EMA",
        "weight_quantize_method": "MAX_ABS",
        "batch_size": 1,
    }


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
