"""The network as an ONNX file, which three of the frameworks read."""

from __future__ import annotations

from pathlib import Path

import torch

from tools.peers.job import Job

INPUT, OUTPUT = "input", "output"


def onnx_file(job: Job, folder: Path) -> Path:
    """Return the file, beside a framework's folder; exported by the first that asks for it."""
    path = folder.parent / f"torch-{torch.__version__}.onnx"
    if not path.exists():
        partial = path.with_suffix(".partial")
        torch.onnx.export(
            job.module,
            (torch.from_numpy(job.input),),
            partial,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        partial.replace(path)
    return path
