"""Arrays as files and at random, for running a model from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tvmlcnn.errors import UserError, reason_of
from tvmlcnn.files import check_writable, is_stream, refuse_special, write_whole

from .manifest import TensorSpec


def read_array(path: str | Path) -> np.ndarray:
    """Read an ``.npy`` file; pickled objects are refused."""
    refuse_special(path)
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise UserError(f"no such file: {path}") from error
    except Exception as error:  # numpy raises many types for a broken file
        raise UserError(f"{path} is no .npy array that can be read: {unread(error)}") from error
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path} holds several arrays; give one .npy for each input")
    return array


def unread(error: Exception) -> str:
    """Return why numpy did not read a file.

    It takes whatever is no file of its own for a pickle, and says how to have the code in it run.
    """
    return "it holds no plain arrays" if "pickle" in str(error) else reason_of(error)


def write_arrays(path: str | Path, arrays: Sequence[np.ndarray]) -> None:
    """Write one array as ``.npy``, or several as ``.npz``; ``-`` is the output of this process."""
    path = Path(path)
    wanted = ".npy" if len(arrays) == 1 else ".npz"
    if path.suffix != wanted and not is_stream(path):
        raise UserError(f"{path}: {len(arrays)} output(s) are written as {wanted}")
    check_writable(path, stream=True)
    if len(arrays) == 1:
        write_whole(path, lambda file: np.save(file, arrays[0]), stream=True)
    else:
        write_whole(path, lambda file: np.savez(file, *arrays), stream=True)


def random_arrays(specs: Sequence[TensorSpec], seed: int = 0) -> list[np.ndarray]:
    """Return normally distributed arrays of the specs' shapes and dtypes, bytes of all values."""
    generator = np.random.default_rng(seed)
    return [
        generator.integers(0, 256, spec.shape, np.uint8)
        if spec.dtype == "uint8"
        else generator.standard_normal(spec.shape).astype(spec.dtype)
        for spec in specs
    ]
