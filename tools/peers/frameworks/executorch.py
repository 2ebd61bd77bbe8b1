"""XNNPACK, through ExecuTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tools.peers.job import Job


def convert(job: Job, folder: Path) -> None:
    """Write ``model.pte`` with all that XNNPACK takes delegated to it."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(job.module, (torch.from_numpy(job.input),))
    if job.dtype == "int8":
        program = torch.export.export(_quantized(job, program), (torch.from_numpy(job.input),))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    (folder / "model.pte").write_bytes(lowered.to_executorch().buffer)


def _quantized(job: Job, program: Any) -> Any:
    """Return the module in its own quantizer's integers: s8, weights by channel."""
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(True))
    prepared = prepare_pt2e(program.module(), quantizer)
    with torch.no_grad():
        for array in job.observed:
            prepared(torch.from_numpy(array))
    return convert_pt2e(prepared)


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the program's method, on a pool of as many threads as the job says."""
    import torch
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    # It counts the machine's cores, not those that the process may run on.
    portable_lib._unsafe_reset_threadpool(job.threads)
    program = Runtime.get().load_program(folder / "model.pte")
    method = program.load_method("forward")

    def call(image: np.ndarray, _program: object = program) -> np.ndarray:
        return method.execute([torch.from_numpy(image)])[0].numpy()

    return call
