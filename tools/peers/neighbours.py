"""Busy programs beside the measured ones: a camera, a browser or a build."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SPIN = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
_START = 0.3  # seconds until an interpreter is up


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Keep the first ``count`` of this process's CPUs busy, each with a program of its own."""
    cpus = sorted(os.sched_getaffinity(0))[:count]
    programs = [subprocess.Popen([sys.executable, "-c", _SPIN, str(cpu)]) for cpu in cpus]
    try:
        if programs:
            time.sleep(_START)
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()
