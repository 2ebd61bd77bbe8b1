"""Run a compiled model on arrays.

``python -m tvmlcnn.runtime.run_arrays FILE IN.npz OUT.npz ROUNDS``

The compiler checks its results with this program, in emulation too.
"""

from __future__ import annotations

import sys

import numpy as np

from .arrays import random_arrays
from .kernel_times import least_us
from .model import load

TIMES = "times"
_TIMED_CASE = "random"  # which there always is


def main(library: str, inputs: str, outputs: str, rounds: str) -> None:
    """Run the model on each case of an ``.npz`` file and write the results to another.

    Arrays are named ``CASE.INDEX``, of the inputs and of the outputs. With ``rounds`` another one,
    `TIMES`, has the least microseconds of each kernel in so many, on one thread.
    """
    model = load(library)
    results = {}
    with np.load(inputs) as arrays:
        for case in sorted({name.rpartition(".")[0] for name in arrays.files}):
            result = model(*(arrays[f"{case}.{i}"] for i in range(len(model.inputs))))
            for i, array in enumerate(result if isinstance(result, tuple) else (result,)):
                results[f"{case}.{i}"] = array
        if int(rounds):
            given = [arrays[f"{_TIMED_CASE}.{i}"] for i in range(len(model.inputs))]
            if model.resizes:  # the kernels get what frames of any size become
                given = random_arrays(model.inputs)
            results[TIMES] = least_us(load(library, threads=1), given, int(rounds))
    np.savez(outputs, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
