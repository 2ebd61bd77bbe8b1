"""Run a compiled model on arrays: ``python -m tvmlcnn.runtime.run_arrays FILE IN.npz OUT.npz``.

The compiler checks its results with this program, in emulation too.
"""

from __future__ import annotations

import sys

import numpy as np

from .model import load


def main(library: str, inputs: str, outputs: str) -> None:
    """Run the model on each case of an ``.npz`` file and write the results to another.

    Arrays are named ``CASE.INDEX``, of the inputs and of the outputs.
    """
    model = load(library)
    results = {}
    with np.load(inputs) as arrays:
        for case in sorted({name.rpartition(".")[0] for name in arrays.files}):
            result = model(*(arrays[f"{case}.{i}"] for i in range(len(model.inputs))))
            for i, array in enumerate(result if isinstance(result, tuple) else (result,)):
                results[f"{case}.{i}"] = array
    np.savez(outputs, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
