"""The frameworks that a network is run in, the table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.peers.job import Job

from . import executorch, mnn, ncnn, onnxruntime, openvino, torch, tvmlcnn

Call = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Framework:
    """One framework.

    Attributes
    ----------
    title : str
        As its makers write it.
    distributions : tuple of str
        The packages of the extra ``bench`` (or of tvmlcnn) that it needs.
    convert : callable or None
        Writes the network of a job into a folder that exists; runs in a process of its own. None
        where the module runs as it is.
    load : callable
        Reads that folder and returns the function from an input to an output.
    """

    title: str
    distributions: tuple[str, ...]
    convert: Callable[[Job, Path], None] | None
    load: Callable[[Job, Path], Call]


OURS = "tvmlcnn"

FRAMEWORKS = {
    OURS: Framework("tvmlcnn", ("tvmlcnn",), tvmlcnn.convert, tvmlcnn.load),
    "onnxruntime": Framework(
        "ONNX Runtime", ("onnxruntime", "onnxscript"), onnxruntime.convert, onnxruntime.load
    ),
    "openvino": Framework("OpenVINO", ("openvino", "onnxscript"), openvino.convert, openvino.load),
    "ncnn": Framework("ncnn", ("ncnn", "pnnx"), ncnn.convert, ncnn.load),
    "mnn": Framework("MNN", ("MNN", "onnxscript"), mnn.convert, mnn.load),
    "xnnpack": Framework(
        "XNNPACK (ExecuTorch)", ("executorch",), executorch.convert, executorch.load
    ),
    "torch": Framework("torch", ("torch",), None, torch.load),
}
PEERS = tuple(name for name in FRAMEWORKS if name != OURS)
