"""Where the channels lie that a convolution reads."""

from __future__ import annotations

import numpy as np

from tvmlcnn import ops

from .layer import Convolution


def planes_of(layer: Convolution) -> tuple[int, int, np.ndarray]:
    """Return how many whole planes are read, the channels of one, and the others that are read.

    What is read is all channels of some planes, the first channels, or, where the last array is
    not empty, the channels that it says.
    """
    inner, wide, reads = layer.weight.shape[2], layer.data[3], layer.reads
    if len(reads) and inner % wide == 0 and np.array_equal(reads, np.arange(inner)):
        return inner // wide, wide, reads[:0]
    return 1, inner, reads


def first_of_neighbours(layer: Convolution) -> int | None:
    """Return the first of the channels that are read, None where they are not neighbours."""
    first = int(layer.reads[0]) if len(layer.reads) else 0
    together = np.array_equal(layer.reads, np.arange(len(layer.reads)) + first)
    return first if together else None


def in_one_plane(first: int, inner: int, wide: int, lanes: int) -> bool:
    """Tell whether each vector of neighbouring channels lies in one plane."""
    return first % wide + inner <= wide or not (wide % lanes or first % lanes)


def table(
    reads: np.ndarray, data: tuple[int, ...], batch: int, window: ops.Window, load: int = 1
) -> np.ndarray:
    """Return how many elements after a pixel's first channel each load begins."""
    _, height, width, wide = data
    top, left, bottom, right = window.padding
    plane, position = np.divmod(reads[::load], wide)
    return plane * (batch * (top + height + bottom) * (left + width + right) * wide) + position


def jumps(places: np.ndarray) -> list[tuple[int, int]]:
    """Return from which load on, and how far, a table leaves those that follow the ones before."""
    steps = np.diff(places) - 1
    first = [(0, int(places[0]))] if places[0] else []
    return first + [(int(at) + 1, int(steps[at])) for at in np.flatnonzero(steps)]
