"""How long a call of a model takes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from tvmlcnn.errors import UserError

from .arrays import random_arrays
from .gpu_profile import graph_times, is_for_gpu
from .model import Model
from .nvidia import find_gpu

_WARM_UP = 3


@dataclass(frozen=True)
class Latency:
    """Statistics of the time of single calls, in milliseconds.

    Of a model for a GPU ``gpu`` is its name, and ``graph`` the median time of the whole program by
    its events, with copies of inputs and outputs, if the driver has events.
    """

    min: float
    p50: float
    p90: float
    p99: float
    runs: int
    runs_per_second: float
    threads: int
    gpu: str | None = None
    graph: float | None = None


def measure(model: Model, seconds: float) -> Latency:
    """Call the model on random input for about ``seconds`` and return the times of the calls.

    A few calls before the first measured one bring caches and clocks to their working state. At
    least one call is measured.
    """
    inputs = random_arrays(model.inputs)
    for _ in range(_WARM_UP):
        model(*inputs)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        model(*inputs)
        times.append(time.perf_counter() - start)
    spent = np.array(times) * 1e3
    p50, p90, p99 = (float(value) for value in np.percentile(spent, [50, 90, 99]))
    rate = len(times) / sum(times)
    on_gpu = _on_gpu(model) if is_for_gpu(model) else ()
    return Latency(float(spent.min()), p50, p90, p99, len(times), rate, model.threads, *on_gpu)


def _on_gpu(model: Model) -> tuple[str, float | None]:
    name = find_gpu().name
    if not model.calls:
        return name, None
    try:
        return name, float(np.median(graph_times(model))) / 1e3
    except UserError:  # an old driver
        return name, None
