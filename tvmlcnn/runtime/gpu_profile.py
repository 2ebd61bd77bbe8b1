"""How long each kernel of a model for a GPU takes there, and how near that is to what it can do."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from .arrays import random_arrays
from .model import Model
from .nvidia import NvidiaGpu, find_gpu
from .profile import KernelTime

_ROUNDS = 20  # in a row, between two looks at the clock
_LEAST_US = 1e-3  # of what events tell apart


@dataclass(frozen=True)
class GpuProfile:
    """The times of a model on a GPU: medians, in microseconds, by the GPU's events.

    Attributes
    ----------
    kernels : tuple of KernelTime
        In the order in which they run. The roofline is of the figures that the driver gives of the
        GPU: all multiprocessors at their clock, memory at its clock; 0 where it gives none.
    kernels_us : float
        All kernels, from an event before each to one behind it.
    gaps_us : float
        Between a kernel's event and the next one's, all of them.
    graph_us : float
        The whole program as one graph, with no events in it, copies of inputs and outputs too.
    call_us : float
        The least time of a call from Python.
    rounds : int
    gpu : NvidiaGpu
    """

    kernels: tuple[KernelTime, ...]
    kernels_us: float
    gaps_us: float
    graph_us: float
    call_us: float
    rounds: int
    gpu: NvidiaGpu


def is_for_gpu(model: Model) -> bool:
    """Tell whether a model's kernels run on a GPU."""
    return bool(model.manifest["target"]["tvm"]["kind"] == "cuda")


def profile_on_gpu(model: Model, seconds: float) -> GpuProfile:
    """Time the kernels of a model on random input for about ``seconds``.

    Events stand in a graph of the program's, so that kernels follow each other as they do without.

    Raises
    ------
    UserError
        If the model has no kernels, or there is no GPU.
    """
    gpu = find_gpu()
    inputs = random_arrays(model.inputs)
    calls: list[float] = []
    measured: list[np.ndarray] = []
    with model.instances.one() as instance:
        arrays, rooms = model.arguments(*inputs), model.rooms()
        end = time.perf_counter() + seconds
        while not measured or time.perf_counter() < end:
            measured.append(instance.gpu_times(0, arrays, len(model.calls), _ROUNDS))
            for _ in range(_ROUNDS):
                start = time.perf_counter()
                instance.run(0, arrays, rooms)
                calls.append((time.perf_counter() - start) * 1e6)
    whole, *between = np.median(np.concatenate(measured), axis=0).astype(float)
    times = np.maximum(between[::2], _LEAST_US)
    total = float(times.sum())
    return GpuProfile(
        tuple(
            KernelTime(
                call,
                float(us),
                float(us) / total,
                call.flops / float(us) / 1e3,
                _least_us(gpu, call.flops / call.gain, call.bytes) / float(us),
            )
            for call, us in zip(model.calls, times, strict=True)
        ),
        total,
        float(np.sum(between[1::2])),
        float(whole),
        min(calls),
        len(calls),
        gpu,
    )


def graph_times(model: Model) -> np.ndarray:
    """Return how long runs of a program with kernels take on the GPU, in microseconds.

    Raises
    ------
    UserError
        If the driver has no events.
    """
    inputs = random_arrays(model.inputs)
    with model.instances.one() as instance:
        return instance.gpu_times(0, model.arguments(*inputs), len(model.calls), _ROUNDS)[:, 0]


def _least_us(gpu: NvidiaGpu, flops: float, size: int) -> float:
    """Return the roofline: the larger one of computing at the peak and moving at the bandwidth."""
    computing = flops / gpu.peak_gflops if gpu.peak_gflops else 0.0
    moving = size / gpu.bandwidth_gbs if gpu.bandwidth_gbs else 0.0
    return max(computing, moving) / 1e3
