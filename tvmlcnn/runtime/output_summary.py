"""What of an output is told on the command line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .manifest import TensorSpec

_LARGEST = 5


@dataclass(frozen=True)
class Largest:
    """A large value, and its index: of a class, where the values are scores of classes."""

    index: int
    value: float


@dataclass(frozen=True)
class OutputSummary:
    """An output in short.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : str
    min, max : float or None
        None of nothing.
    largest : tuple of Largest
        Where the output is one row of floating point numbers, the largest first.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    min: float | None
    max: float | None
    largest: tuple[Largest, ...]


def summarize(spec: TensorSpec, array: np.ndarray) -> OutputSummary:
    """Return what is told of an output."""
    least, most = (float(array.min()), float(array.max())) if array.size else (None, None)
    row = array.reshape(-1)
    indices: np.ndarray = np.empty(0, np.int64)
    if array.ndim == 2 and len(array) == 1 and len(row) > 1 and array.dtype.kind == "f":
        # What is no number comes last.
        indices = np.argsort(-np.nan_to_num(row, nan=-np.inf), kind="stable")[:_LARGEST]
    largest = tuple(Largest(int(index), float(row[index])) for index in indices)
    return OutputSummary(spec.name, array.shape, str(array.dtype), least, most, largest)
