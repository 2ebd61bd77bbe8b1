"""Inputs to try a network on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from tvmlcnn.runtime.preprocessing import Preprocessing, normalize

from .source import Shape

# What a network may be given: normalized values, pixels of 0 to 1, nothing, and values that reach
# where functions saturate.
KINDS: dict[str, Callable[[np.random.Generator, Shape], np.ndarray]] = {
    "random": lambda generator, shape: generator.standard_normal(shape, dtype=np.float32),
    "uniform": lambda generator, shape: generator.random(shape, dtype=np.float32),
    "zeros": lambda generator, shape: np.zeros(shape, np.float32),
    "large": lambda generator, shape: (
        generator.standard_normal(shape, dtype=np.float32) * np.float32(100)
    ),
}
"""By the name of the kind: how an array is filled."""
ROUNDING = 3e-6
"""What rounding does in a network, relatively: sums of some thousand float32 products are off by
so much."""


def random_inputs(shapes: Sequence[Shape], seed: int = 0, kind: str = "random") -> list[np.ndarray]:
    """Return float32 arrays of the shapes, of one of `KINDS`; by default normally distributed."""
    generator = np.random.default_rng(seed)
    return [KINDS[kind](generator, shape) for shape in shapes]


def image_input(shape: Shape, preprocessing: Preprocessing | None) -> np.ndarray:
    """Return a smooth random picture of shape (1, 3, height, width), normalized as a photo is."""
    how = preprocessing or Preprocessing()
    coarse = np.random.default_rng(1).uniform(0, 255, (8, 8, 3)).astype(np.uint8)
    picture = Image.fromarray(coarse).resize((shape[3], shape[2]), Image.Resampling.BICUBIC)
    return normalize(picture, how)


def disturbed(inputs: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """Return inputs that are off by `ROUNDING` of their largest value."""
    generator = np.random.default_rng(seed)

    def moved(array: np.ndarray) -> np.ndarray:
        if not np.issubdtype(array.dtype, np.floating) or not array.size:
            return array
        scale = ROUNDING * (float(np.abs(array).max()) or 1.0)
        return array + (scale * generator.standard_normal(array.shape)).astype(array.dtype)

    return [moved(array) for array in inputs]
