"""How long each kernel of a model takes, and how near that is to what the machine can do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tvmlcnn.errors import UserError

from . import limits
from .arrays import random_arrays
from .kernel_times import call_us, recorded_calls, timed
from .manifest import KernelCall
from .model import Model

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
    between_us : float
        What TVM's virtual machine does between the kernels: the least time of a run of the
        program, less that of making the calls of its kernels alone.
    copies_us : float
        Checking and sharing the inputs, and copying the outputs: the least time of a call from
        Python, less that of a run of the program.
    call_us : float
        The least time of a call from Python.
    timer_us : float
        What calling a kernel by itself costs, on average; it is taken off each time.
    rounds : int
        Measured runs, of which the faster half counts.
    threads : int
    limits : limits.Limits
        Of the same threads, measured in the same run.
    """

    kernels: tuple[KernelTime, ...]
    kernels_us: float
    between_us: float
    copies_us: float
    call_us: float
    timer_us: float
    rounds: int
    threads: int
    limits: limits.Limits


def profile(model: Model, seconds: float) -> Profile:
    """Time the kernels of a model on random input for about ``seconds``.

    The calls of the kernels are recorded in one run of the program, and then made one by one in the
    same order on the same tensors, so that each finds the caches as in a run of the network. An
    instrument in TVM's virtual machine would call Python twice a kernel, which is more than some
    kernels take. What a call costs that does nothing is taken off.

    Raises
    ------
    UserError
        If the file is for a GPU.
    """
    if model.manifest["target"]["tvm"]["kind"] != "llvm":
        raise UserError("only kernels on a CPU can be profiled; the model is for a GPU")
    machine = limits.measure(model.threads)
    inputs = random_arrays(model.inputs)
    recorded = recorded_calls(model, inputs)
    arguments = model.arguments(*inputs)

    whole: list[float] = []
    program: list[float] = []
    rounds: list[list[float]] = []
    overheads: list[list[float]] = []
    end = time.perf_counter() + seconds
    while not rounds or time.perf_counter() < end:
        whole += _block(lambda: timed(model, inputs))
        with model.exclusively():
            program += _block(lambda: timed(model.program, arguments))
            rounds += _block(lambda: [timed(call.function, call.arguments) for call in recorded])
            overheads += _block(lambda: [call_us(call) for call in recorded])
    # Other programs, and a clock that they slow down, last for many rounds: those are left out.
    sums = np.sum(rounds, axis=1)
    quiet = np.argsort(sums)[: len(sums) // 2]
    overhead = np.median(np.array(overheads)[quiet], axis=0)
    times = np.maximum(np.median(np.array(rounds)[quiet], axis=0) - overhead, _CLOCK_US)
    total = float(times.sum())
    return Profile(
        tuple(
            KernelTime(
                call,
                float(us),
                float(us) / total,
                call.flops / float(us) / 1e3,
                machine.microseconds(call.flops, call.bytes) / float(us),
            )
            for call, us in zip(model.calls, times, strict=True)
        ),
        total,
        # Only equally long times compare: on a busy machine few long ones are left in peace.
        min(program) - float(sums.min() - overhead.sum()),
        min(whole) - min(program),
        min(whole),
        float(overhead.mean()),
        len(rounds),
        model.threads,
        machine,
    )


def _block(measure: Callable[[], Any]) -> list[Any]:
    return [measure() for _ in range(_BLOCK)][1:]
