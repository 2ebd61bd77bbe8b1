"""XNNPACK, through ExecuTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.peers.job import Job


def convert(job: Job, folder: Path) -> None:
    """Write ``model.pte`` with all that XNNPACK takes delegated to it."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = torch.export.export(job.module, (torch.from_numpy(job.input),))
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    (folder / "model.pte").write_bytes(lowered.to_executorch().buffer)


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
