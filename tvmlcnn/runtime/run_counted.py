"""Run a compiled model once for a counter of instructions.

``python -m tvmlcnn.runtime.run_counted FILE``

What is to be counted lies between two calls of ``getppid``, and the kernels in it between calls of
``clock_gettime``, as the file's own ``tvmlcnn_note_time`` makes them: before the first, and after
each.
"""

from __future__ import annotations

import os
import sys
import time

from .arrays import random_arrays
from .model import load


def main(library: str) -> None:
    """Run the model on random input, on one thread; a run before has touched all of its memory."""
    model = load(library, threads=1)
    inputs = random_arrays(model.inputs)
    with (
        model.instances.one() as instance,
        instance.timed(time.CLOCK_MONOTONIC, len(model.calls)),
    ):
        for mark in (lambda: None, os.getppid):
            mark()
            instance.run(0, model.arguments(*inputs), model.rooms())
            mark()


if __name__ == "__main__":
    main(*sys.argv[1:])
