"""Timing the kernels of a model, call by call, in its own runs."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from .model import Model


def kernel_us(
    model: Model, inputs: Sequence[np.ndarray], rounds: int, clock: int = time.CLOCK_MONOTONIC
) -> np.ndarray:
    """Return the microseconds of each kernel in some runs.

    Parameters
    ----------
    model : Model
    inputs : sequence of numpy.ndarray
        Of the model's smallest sizes.
    rounds : int
    clock : int
        One of `time.clock_gettime`'s.

    Returns
    -------
    numpy.ndarray
        float64 (rounds, calls of kernels).
    """
    arrays, results = model.arguments(*inputs), model.rooms()
    found = np.empty((rounds, len(model.calls)))
    with (
        model.instances.one() as instance,
        instance.timed(clock, len(model.calls)) as nanoseconds,
    ):
        for row in found:
            instance.run(0, arrays, results)
            row[:] = np.diff(nanoseconds) / 1e3
    return found


def least_us(model: Model, inputs: Sequence[np.ndarray], rounds: int) -> np.ndarray:
    """Return the least microseconds of each call of a kernel in some runs after another one.

    It is the time of the calling thread, for a model of one: others that take the processor
    meanwhile do not make a kernel slow.
    """
    return kernel_us(model, inputs, rounds + 1, time.CLOCK_THREAD_CPUTIME_ID)[1:].min(axis=0)
