"""How long kernels take on the GPU of a board, by its own events, and whether they are right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tvmlcnn.remote import Board
from tvmlcnn.targets import Gpu

from .gpu_program import gpu_program
from .kernels import Kernel
from .measuring import Outcome, error_of

_SECONDS = 0.2  # of rounds of all kernels in turns
_LEAST_US = 1e-3  # of what events tell apart


def measure_on_gpu(
    board: Board,
    libraries: Sequence[Path],
    kernels: Sequence[Kernel],
    gpu: Gpu,
    footprint: int,
    seconds: float,
    thorough: int = 1,
) -> list[Outcome]:
    """Measure kernels of one task on a board's GPU, in turns.

    Parameters
    ----------
    board : Board
    libraries : sequence of Path
        One, of the kernels' program.
    kernels : sequence of Kernel
        The first one is the untuned kernel.
    gpu : Gpu
    footprint : int
        As in `gpu_program`.
    seconds : float
        Until the board ends the session.
    thorough : int
        How many times the usual number of rounds is made.
    """
    (library,) = libraries
    program = gpu_program(kernels, footprint, gpu)
    with board.session(seconds) as session:
        measured, outputs = session.gpu_times(
            library, program.inputs, len(program.flat.calls), _SECONDS * thorough
        )
    results = program.of_kernels(outputs, len(kernels))
    errors = [error_of(result, results[0]) for result in results]
    times = [max(_LEAST_US, _middle(measured[:, 1 + 2 * place])) for place in program.timed]
    here = board.facts()["gpu"]["name"]
    return [
        Outcome(us if error <= kernel.element.tolerance else None, times[0], error, here)
        for us, error, kernel in zip(times, errors, kernels, strict=True)
    ]


def _middle(microseconds: np.ndarray) -> float:
    """Return the mean of the middle half.

    A median would be one of the few times that events tell apart: they count half microseconds
    (CUDA driver API, cuEventElapsedTime).
    """
    ordered = np.sort(microseconds)
    quarter = len(ordered) // 4
    return float(ordered[quarter : len(ordered) - quarter].mean())
