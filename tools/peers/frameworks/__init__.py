"""The frameworks that a network is run in, the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    also : mapping of str to tuple of str
        Packages that a type needs beside them.
    lacks : mapping of str to str
        Types that it does not compute in here, and why.
    """

    title: str
    distributions: tuple[str, ...]
    convert: Callable[[Job, Path], None] | None
    load: Callable[[Job, Path], Call]
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)


OURS = "tvmlcnn"
OURS_IN_FLOAT32 = "tvmlcnn-float32"
"""Shows what fewer bits bring; it is nobody's peer."""

FRAMEWORKS = {
    OURS: Framework("tvmlcnn", ("tvmlcnn",), tvmlcnn.convert, tvmlcnn.load),
    OURS_IN_FLOAT32: Framework(
        "tvmlcnn, float32",
        ("tvmlcnn",),
        tvmlcnn.convert_in_float32,
        tvmlcnn.load,
        lacks={"float32": "it is the row above"},
    ),
    "onnxruntime": Framework(
        "ONNX Runtime",
        ("onnxruntime", "onnxscript"),
        onnxruntime.convert,
        onnxruntime.load,
        lacks={"bfloat16": "its CPU provider computes in bfloat16 on ARM only"},
    ),
    "openvino": Framework(
        "OpenVINO",
        ("openvino", "onnxscript"),
        openvino.convert,
        openvino.load,
        also={"int8": ("nncf",)},
    ),
    "ncnn": Framework("ncnn", ("ncnn", "pnnx"), ncnn.convert, ncnn.load),
    "mnn": Framework(
        "MNN",
        ("MNN", "onnxscript"),
        mnn.convert,
        mnn.load,
        lacks={"bfloat16": "its package is built without bfloat16 for x86"},
    ),
    "xnnpack": Framework(
        "XNNPACK (ExecuTorch)",
        ("executorch",),
        executorch.convert,
        executorch.load,
        also={"int8": ("torchao",)},
        lacks={"bfloat16": "ExecuTorch gives it no convolutions of bfloat16"},
    ),
    "torch": Framework(
        "torch",
        ("torch",),
        None,
        torch.load,
        lacks={"int8": "its integer kernels are compiled by TorchInductor, with a C++ compiler"},
    ),
}
PEERS = tuple(name for name in FRAMEWORKS if name not in (OURS, OURS_IN_FLOAT32))
