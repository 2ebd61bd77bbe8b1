"""Timing the kernels of a model, call by call, in its own runs."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from .model import Model


def least_us(model: Model, inputs: Sequence[np.ndarray], rounds: int) -> np.ndarray:
    """Return the least microseconds of each call of a kernel in some runs after another one.

    It is the time of the calling thread, for a model of one: others that take the processor
    meanwhile do not make a kernel slow. The inputs are of the model's smallest sizes.
    """
    arrays, results = model.arguments(*inputs), model.rooms()
    clock, calls = time.CLOCK_THREAD_CPUTIME_ID, len(model.calls)
    least = np.full(calls, np.inf)
    with model.instances.one() as instance, instance.timed(clock, calls) as nanoseconds:
        instance.run(0, arrays, results)
        for _ in range(rounds):
            instance.run(0, arrays, results)
            least = np.minimum(least, np.diff(nanoseconds) / 1e3)
    return least
