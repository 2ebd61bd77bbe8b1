"""Run a file for a GPU on the CPU: the driver of the tests has PoCL do what is launched.

    LD_LIBRARY_PATH=FOLDER python run_on_pocl.py FILE PROGRAM KERNELS.cl INPUTS.npz OUTPUTS.npz WAYS

Runs a program as launches; in two or three ways as a graph too, and call by call.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pocl

from tvmlcnn.runtime.tensors import Tensor

_Launch = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint), ctypes.POINTER(ctypes.c_uint64)
)


def main(path: str, number: str, source: str, inputs: str, outputs: str, ways: str) -> None:
    """Write the outputs of each of the ways."""
    driver, file = ctypes.CDLL("libcuda.so.1"), ctypes.CDLL(path)
    kernels = pocl.Kernels(Path(source).read_text())
    for name, count in kernels.arguments.items():
        driver.fake_kernel(name.encode(), count)

    faults: list[IndexError] = []

    @_Launch
    def launch(name: bytes, shape: ctypes.Array, arguments: ctypes.Array) -> None:
        key = name.decode()
        try:
            kernels.launch(key, shape[0:3], shape[3:6], arguments[: kernels.arguments[key]])
        except IndexError as error:
            faults.append(error)

    driver.fake_on_launch(launch)
    instance, count, program = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t(int(number))
    assert file.tvmlcnn_open(None, ctypes.byref(instance)) == 0
    file.tvmlcnn_outputs.restype = ctypes.POINTER(Tensor)
    tensors = file.tvmlcnn_outputs(program, ctypes.byref(count))
    specs = [(t.shape[: t.rank], t.dtype.decode()) for t in tensors[: count.value]]
    with np.load(inputs) as loaded:
        given = [loaded[f"arr_{n}"] for n in range(len(loaded.files))]
    found = []
    for turn in range(int(ways)):
        if turn == 2:
            hook = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)(lambda *_: None)
            file.tvmlcnn_observe(instance, hook, None)
        rooms = [np.zeros(shape, dtype) for shape, dtype in specs]
        status = file.tvmlcnn_run(instance, program, _addresses(given), _addresses(rooms))
        assert status == 0
        found += rooms
    file.tvmlcnn_close(instance)
    assert driver.fake_live() == 0
    assert not faults, faults[0]
    np.savez(outputs, *found)


def _addresses(arrays: list[np.ndarray]) -> ctypes.Array:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


if __name__ == "__main__":
    main(*sys.argv[1:])
