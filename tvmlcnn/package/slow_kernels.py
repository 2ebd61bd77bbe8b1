"""Naming kernels that are far from what the processor can do and matter to the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tvmlcnn.targets import Device

# Of the roofline, and of the network's time.
_ROOFLINE, _SHARE = 0.1, 0.05
# A kernel below is mostly its call, and the clock's.
_LEAST_US = 20.0
_MOST = 3
# What memories of PCs and boards move at least: a kernel at a tenth of its roofline is one by far.
_BANDWIDTH_GBS = 8.0


def slow_kernels(calls: Sequence[dict[str, Any]], times: np.ndarray, device: Device) -> list[str]:
    """Return a line for each kernel that is slow, the one that takes longest first.

    The roofline (Williams, Waterman and Patterson 2009) is that of a slow memory.

    Parameters
    ----------
    calls : sequence of dict
        As `tvmlcnn.passes.kernel_calls` has them.
    times : numpy.ndarray
        Microseconds of each call on one thread.
    device : Device
        What is not known of it is not held against a kernel.
    """
    if device.least_gflops is None:
        return []
    total = float(times.sum())
    found = []
    for call, time in zip(calls, map(float, times), strict=True):
        gflops = device.least_gflops * (device.gain(call["element"]) or 1.0)
        least = max(call["flops"] / (gflops * 1e3), call["bytes"] / (_BANDWIDTH_GBS * 1e3))
        if time > _LEAST_US and time > _SHARE * total and least < _ROOFLINE * time:
            layers = " + ".join(call["layers"]) or call["function"]
            found.append(
                (
                    time,
                    f"{layers} takes {time / total:.0%} of the time, at {least / time:.0%} of what "
                    "the processor can do; please report the network",
                )
            )
    return [line for _, line in sorted(found, reverse=True)[:_MOST]]
