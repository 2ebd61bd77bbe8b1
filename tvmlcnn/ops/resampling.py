"""Resizing as a linear map along an axis: what each output reads, and by which weights.

The rules are torch's (``aten/src/ATen/native/UpSample.h`` says them in C++), in the arithmetic of
the element type, so that each output reads the very inputs that it reads there. Cubic weights are
R. Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981, with a = -0.75, and
-0.5 where antialiased, as Pillow has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvmlcnn.targets import FLOAT32


@dataclass(frozen=True, eq=False)
class Taps:
    """A linear map along one axis.

    Attributes
    ----------
    size : int
        Inputs along the axis.
    sources : numpy.ndarray
        int32 of shape (outputs, taps): the inputs that an output is a weighted sum of.
    weights : numpy.ndarray
        Floating point of the same shape.
    """

    size: int
    sources: np.ndarray
    weights: np.ndarray

    @property
    def outputs(self) -> int:
        """Outputs along the axis."""
        return int(self.sources.shape[0])

    @property
    def moves(self) -> bool:
        """Whether each output is one input as it is."""
        return self.sources.shape[1] == 1 and bool(np.all(self.weights == 1))

    @property
    def changes_nothing(self) -> bool:
        """Whether the outputs are the inputs."""
        matrix_of_one = self.outputs == self.size and np.count_nonzero(self.weights) == self.size
        if not matrix_of_one:
            return False
        rows, taps = np.nonzero(self.weights)
        places = self.sources[rows, taps]
        return bool(
            np.array_equal(rows, np.arange(self.size))
            and np.array_equal(places, rows)
            and np.all(self.weights[rows, taps] == 1)
        )


def scaled_size(size: int, factor: float) -> int:
    """Return how many outputs a scale factor makes of so many inputs, as torch does."""
    return int(np.floor(float(size) * factor))


def interpolation(
    size: int,
    outputs: int,
    mode: str,
    *,
    align_corners: bool = False,
    antialias: bool = False,
    factor: float | None = None,
    rank: int = 2,
    dtype: str = FLOAT32.name,
) -> Taps:
    """Return what ``torch.nn.functional.interpolate`` does along one axis.

    Parameters
    ----------
    size, outputs : int
        At least 1.
    mode : str
        ``"nearest"``, ``"nearest-exact"``, ``"linear"`` (also of bilinear and trilinear) or
        ``"cubic"``.
    align_corners, antialias : bool
        Of linear and cubic ones.
    factor : float, optional
        The scale factor where the user gave one and did not ask to have it computed again: torch
        then steps by its reciprocal, not by the ratio of the sizes.
    rank : int
        Axes that are resized in one go: 1, 2 or 3. For two, torch's nearest one copies where the
        sizes are equal, and repeats each where they are doubled, whatever the factor.
    dtype : str
        Floating point type of the data; positions are computed in it.
    """
    real = np.dtype(dtype).type
    if align_corners:
        step = real(size - 1) / real(outputs - 1) if outputs > 1 else real(0)
    elif factor is not None and factor > 0:
        step = real(1.0 / factor)
    else:
        step = real(size) / real(outputs)
    index = np.arange(outputs).astype(real)
    if mode == "nearest" and rank == 2 and outputs in (size, 2 * size):
        step = real(size) / real(outputs)
    if mode in ("nearest", "nearest-exact"):
        if mode == "nearest":
            place = np.floor((step * index).astype(np.float32))
        else:
            middle = np.maximum(step * (index + real(0.5)) - real(0.5), real(0))
            place = np.floor((middle + real(0.5)).astype(np.float32))
        sources = np.minimum(place.astype(np.int64), size - 1)[:, None]
        return _taps(size, sources, np.ones((outputs, 1), real))
    if size == outputs and (antialias or mode == "linear"):
        return _taps(size, np.arange(size)[:, None], np.ones((size, 1), real))
    if antialias:
        return _antialiased(size, outputs, mode, step)
    # Rounded once, as the multiply-add of torch's code is.
    middle = (np.float64(step) * (np.arange(outputs) + 0.5) - 0.5).astype(real)
    place = step * index if align_corners else middle
    if mode == "linear":
        place = np.maximum(place, real(0))
    first = np.minimum(np.floor(place).astype(np.int64), size - 1)
    part = np.clip(place - first.astype(real), real(0), real(1))
    if mode == "linear":
        sources = np.stack([first, np.minimum(first + 1, size - 1)], 1)
        return _taps(size, sources, np.stack([real(1) - part, part], 1))
    if mode != "cubic":
        raise ValueError(f"there is no mode {mode!r}")
    sources = np.clip(first[:, None] + np.arange(-1, 3), 0, size - 1)
    distances = np.abs(part[:, None] - np.arange(-1, 3).astype(real))
    return _taps(size, sources, _cubic(distances, real(-0.75)))


def adaptive_average(size: int, outputs: int, dtype: str = FLOAT32.name) -> Taps:
    """Return what ``adaptive_avg_pool`` does along one axis: the mean of a window each.

    The windows are those of torch: from ``floor(i size / outputs)`` up to
    ``ceil((i + 1) size / outputs)``.
    """
    index = np.arange(outputs)
    first, last = index * size // outputs, -(-(index + 1) * size // outputs)
    taps = np.arange((last - first).max())
    inside = taps < (last - first)[:, None]
    sources = np.minimum(first[:, None] + taps, last[:, None] - 1)
    return _taps(size, sources, (inside / (last - first)[:, None]).astype(dtype))


def _antialiased(size: int, outputs: int, mode: str, step: np.floating) -> Taps:
    """Return the filter of Pillow, whose support grows with the step."""
    real = type(step)
    shape = {"linear": _triangle, "cubic": lambda x: _cubic(x, real(-0.5))}[mode]
    reach = real(1 if mode == "linear" else 2)
    support = reach * step if step >= 1 else reach
    narrowed = real(1) / step if step >= 1 else real(1)
    center = step * (np.arange(outputs).astype(real) + real(0.5))
    first = np.maximum((center - support + real(0.5)).astype(np.int64), 0)
    last = np.minimum((center + support + real(0.5)).astype(np.int64), size)
    # What lies past a border is left out, down to nothing where an explicit factor leads there.
    first = np.minimum(first, size - 1)
    last = np.maximum(last, first + 1)
    taps = np.arange((last - first).max())
    inside = taps < (last - first)[:, None]
    sources = np.minimum(first[:, None] + taps, last[:, None] - 1)
    distance = (sources.astype(real) - center[:, None] + real(0.5)) * narrowed
    weights = np.where(inside, shape(np.abs(distance)), real(0))
    total = weights.sum(1, keepdims=True, dtype=real)
    return _taps(size, sources, np.divide(weights, total, out=weights, where=total != 0))


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - distance, 0).astype(distance.dtype)


def _cubic(x: np.ndarray, a: np.floating) -> np.ndarray:
    """Return Keys' kernel at distances of 0 and more."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0)).astype(x.dtype)


def _taps(size: int, sources: np.ndarray, weights: np.ndarray) -> Taps:
    """Return the taps without those that no output weighs."""
    used = np.any(weights != 0, axis=0)
    used[0] |= not used.any()
    return Taps(size, sources[:, used].astype(np.int32), np.ascontiguousarray(weights[:, used]))
