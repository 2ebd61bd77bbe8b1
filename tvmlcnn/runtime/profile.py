"""How long each kernel of a model takes, and how near that is to what the machine can do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import limits
from .arrays import random_arrays
from .manifest import KernelCall
from .model import Model
from .neighbours import Neighbours

_BLOCK = 5  # rounds in a row, of which the first one only warms the caches
_CLOCK_US = 1e-3


@dataclass(frozen=True)
class KernelTime:
    """The time of one call of a kernel.

    Attributes
    ----------
    call : KernelCall
    us : float
        Median of the quieter half of the rounds, in microseconds.
    share : float
        Of the time of all kernels.
    gflops : float
        1e9 operations a second, a multiply-add counted as two.
    roofline : float
        The least time (`limits.Limits.microseconds`) over the measured one.
    """

    call: KernelCall
    us: float
    share: float
    gflops: float
    roofline: float


@dataclass(frozen=True)
class Profile:
    """The times of a model: medians of the quieter half of the rounds, in microseconds.

    Attributes
    ----------
    kernels : tuple of KernelTime
        In the order in which they run.
    kernels_us : float
        All kernels.
    outside_us : float
        Everything else: checking the inputs, making arrays for the outputs, calling the program
        from Python. The least time of a call less that of its kernels.
    call_us : float
        The least time of a call from Python.
    timer_us : float
        What it costs to note the time after a kernel; it is taken off each time.
    rounds : int
        Measured runs, of which the faster half counts.
    threads : int
    others : float or None
        The share of the processors' time that other programs took meanwhile; None where it is not
        known, as after a very short run.
    limits : limits.Limits
        Of the same threads, measured in the same run.
    """

    kernels: tuple[KernelTime, ...]
    kernels_us: float
    outside_us: float
    call_us: float
    timer_us: float
    rounds: int
    threads: int
    others: float | None
    limits: limits.Limits


def profile(model: Model, seconds: float) -> Profile:
    """Time the kernels of a model on random input for about ``seconds``.

    The program itself notes the time after each kernel; what that takes is taken off.

    Raises
    ------
    ValueError
        If the file is for a GPU.
    """
    if model.manifest["target"]["tvm"]["kind"] != "llvm":
        raise ValueError("the model is for a GPU: tvmlcnn.runtime.gpu_profile times it")
    neighbours = Neighbours()
    machine = limits.measure(model.threads)
    inputs = random_arrays(model.inputs)
    whole: list[float] = []
    noted: list[float] = []
    rounds: list[np.ndarray] = []
    with model.instances.one() as instance:

        def call() -> None:
            instance.run(0, model.arguments(*inputs), model.rooms())

        end = time.perf_counter() + seconds
        while not rounds or time.perf_counter() < end:
            whole += _block(lambda: _us(call))
            with instance.timed(time.CLOCK_MONOTONIC, len(model.calls)) as nanoseconds:
                for us, times in _block(lambda: (_us(call), np.diff(nanoseconds) / 1e3)):
                    noted.append(us)
                    rounds.append(times)
    note = max(min(noted) - min(whole), 0.0) / (len(model.calls) + 1)
    # Other programs, and a clock that they slow down, last for many rounds: those are left out.
    sums = np.sum(rounds, axis=1)
    quiet = np.argsort(sums)[: max(len(sums) // 2, 1)]
    times = np.maximum(np.median(np.array(rounds)[quiet], axis=0) - note, _CLOCK_US)
    total = float(times.sum())
    return Profile(
        tuple(
            KernelTime(
                call,
                float(us),
                float(us) / total,
                call.flops / float(us) / 1e3,
                machine.microseconds(call.flops / call.gain, call.bytes) / float(us),
            )
            for call, us in zip(model.calls, times, strict=True)
        ),
        total,
        # Only equally long times compare: on a busy machine few long ones are left in peace.
        max(min(whole) - float(sums.min()) + note * len(model.calls), 0.0),
        min(whole),
        note,
        len(rounds),
        model.threads,
        neighbours.share(),
        machine,
    )


def _us(work: Callable[[], None]) -> float:
    """Return how many microseconds some work takes."""
    start = time.perf_counter_ns()
    work()
    return (time.perf_counter_ns() - start) / 1e3


def _block(measure: Callable[[], Any]) -> list[Any]:
    return [measure() for _ in range(_BLOCK)][1:]
