"""The threads of a process, as its kernel counts them."""

from __future__ import annotations

import os
import time

from tvmlcnn.runtime.machine import logical_cpus

SEVERAL = min(4, logical_cpus())


def tasks() -> int:
    """Return how many threads this process has."""
    return len(os.listdir("/proc/self/task"))


def until_ended(before: int) -> None:
    """Wait for threads that are joined to leave the kernel's list."""
    deadline = time.monotonic() + 10
    while tasks() > before:
        assert time.monotonic() < deadline, f"{tasks() - before} threads are left"
        time.sleep(0.01)
