"""Timing the kernels of a model, call by call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .model import Model, RecordedCall
from .native import load_runtime


def recorded_calls(model: Model, inputs: Sequence[np.ndarray]) -> list[RecordedCall]:
    """Return the calls of kernels that the model makes for inputs of its smallest sizes."""
    model(*inputs)
    recorded = model.record({call.function for call in model.calls}, model.arguments(*inputs))
    assert [call.name for call in recorded] == [call.function for call in model.calls]
    return recorded


def least_us(model: Model, inputs: Sequence[np.ndarray], rounds: int) -> np.ndarray:
    """Return the least microseconds of each call of a kernel in some rounds of all of them.

    It is the time of the calling thread, for a model of one; what calling it costs is taken off.
    """
    recorded = recorded_calls(model, inputs)
    with model.exclusively():
        # The processor's time: others that take it meanwhile do not make a kernel slow.
        times = [
            [timed(call.function, call.arguments, time.thread_time_ns) for call in recorded]
            for _ in range(rounds)
        ]
        costs = [[call_us(call) for call in recorded] for _ in range(rounds)]
    return np.maximum(np.min(times, axis=0) - np.min(costs, axis=0), 0.0)


def timed(
    function: Callable[..., Any],
    arguments: Any,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> float:
    """Return the microseconds of a call, by a clock of nanoseconds."""
    start = clock()
    function(*arguments)
    return (clock() - start) / 1e3


def call_us(call: RecordedCall) -> float:
    """Return the microseconds of a call that does nothing but take the arguments.

    That of a function without any, and what more a function of TVM's takes to make an array of
    the arguments than to make an empty one.
    """
    ffi = load_runtime()
    array, nothing = ffi.get_global_func("ffi.Array"), ffi.get_global_func("runtime.NumThreads")
    return timed(nothing, ()) + timed(array, call.arguments) - timed(array, ())
