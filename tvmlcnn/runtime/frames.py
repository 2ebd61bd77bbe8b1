"""Frames of any size, as a model that resizes them is given them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvmlcnn.errors import UserError

from .manifest import TensorSpec
from .tensors import described

MOST_PIXELS = 1 << 16
"""Along a side: TVMLCNN_MOST_PIXELS of ``c/tvmlcnn.h``."""
_AXES = 4


def chosen(given: Sequence[np.ndarray], inputs: Sequence[TensorSpec]) -> tuple[int, np.ndarray]:
    """Return which of a model's programs takes frames, and these as an array without gaps.

    Parameters
    ----------
    given : sequence of numpy.ndarray
        One: uint8 of shape (N, height, width, channels).
    inputs : sequence of TensorSpec
        Of each program.

    Raises
    ------
    UserError
        If it is no such array, or a frame is empty or too large.
    """
    if len(given) != 1:
        raise UserError(f"the model takes 1 input, {len(given)} were given")
    frames = np.asarray(given[0])
    batches = {spec.shape[0]: number for number, spec in enumerate(inputs)}
    channels = inputs[0].shape[3]
    fits = frames.ndim == _AXES and frames.shape[0] in batches and frames.shape[3] == channels
    if not fits or frames.dtype != np.uint8:
        sizes = " or ".join(map(str, batches))
        raise UserError(
            f"the model takes {inputs[0].name}: uint8 {sizes}xHEIGHTxWIDTHx{channels}; given was "
            f"{described(frames)}"
        )
    height, width = frames.shape[1:3]
    if not (0 < height <= MOST_PIXELS and 0 < width <= MOST_PIXELS):
        raise UserError(
            f"a frame of {width}x{height} pixels; its sides are from 1 to {MOST_PIXELS}"
        )
    return batches[frames.shape[0]], np.ascontiguousarray(frames)
