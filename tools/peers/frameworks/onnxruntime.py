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
    """Have the ONNX file written; for int8 also ``model.onnx``, with QDQ nodes."""
    source = onnx_file(job, folder)
    if job.dtype == "int8":
        _quantize(job, source, folder / "model.onnx")


def _quantize(job: Job, source: Path, path: Path) -> None:
    """Quantize as its makers advise for x86: u8 activations, s8 weights by channel."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Observed(CalibrationDataReader):
        def __init__(self) -> None:
            self._left = iter(job.observed)

        def get_next(self) -> dict[str, np.ndarray] | None:
            array = next(self._left, None)
            return None if array is None else {INPUT: array}

    prepared = path.with_suffix(".prepared.onnx")
    # The exporter has written all shapes already; symbolic inference knows fewer operators.
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(path),
        Observed(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )
    prepared.unlink()


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
        folder / "model.onnx" if job.dtype == "int8" else onnx_file(job, folder),
        options,
        providers=["CPUExecutionProvider"],
    )
    return lambda image: session.run(None, {INPUT: image})[0]
