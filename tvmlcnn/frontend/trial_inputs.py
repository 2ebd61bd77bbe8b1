"""Inputs to try a network on."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tvmlcnn.input_form import Shape
from tvmlcnn.runtime.preprocessing import Preprocessing, normalized

from .exported import Input
from .failed_runs import too_large

KINDS = ("random", "uniform", "zeros", "large", "constant")
"""What a network may be given: normalized values, pixels of 0 to 1, nothing, values that reach
where functions saturate, and one value everywhere; where time is short, the first of them."""
_CONSTANT = 0.7
"""A number that float32 has to round."""


def random_inputs(inputs: Sequence[Input], seed: int = 0, kind: str = "random") -> list[np.ndarray]:
    """Return arrays of one of `KINDS`; by default normally distributed.

    An input of which only the shape is given is of float32. Integers are bytes of a picture, or 0
    and 1, which index whatever is indexed; where an example came with the network it is that.

    Raises
    ------
    UserError
        If this machine's memory does not hold them.
    """
    generator = np.random.default_rng(seed)
    known = [one if isinstance(one, Input) else Input(one) for one in inputs]
    size = sum(math.prod(one.shape) * np.dtype(one.dtype).itemsize for one in known)
    if 2 * size > os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):  # torch has a copy
        raise too_large([one.shape for one in known])
    return [_filled(generator, one, kind) for one in known]


def _filled(generator: np.random.Generator, one: Input, kind: str) -> np.ndarray:
    if kind == "zeros":
        return np.zeros(one.shape, one.dtype)
    if one.dtype in ("float32", "float64"):
        if kind == "constant":
            return np.full(one.shape, _CONSTANT, one.dtype)
        if kind == "uniform":
            return generator.random(one.shape, np.float32).astype(one.dtype)
        scale = np.float32(100 if kind == "large" else 1)
        return (generator.standard_normal(one.shape, np.float32) * scale).astype(one.dtype)
    if one.example is not None:
        return one.example.copy()
    return generator.integers(0, 256 if one.dtype == "uint8" else 2, one.shape).astype(one.dtype)


def image_input(shape: Shape, preprocessing: Preprocessing | None) -> np.ndarray:
    """Return a smooth random picture of shape (1, 3, height, width), normalized as a photo is."""
    _, channels, *size = shape
    return normalized(picture_of((1, *size, channels)), preprocessing or Preprocessing())


def picture_of(shape: Shape) -> np.ndarray:
    """Return a smooth random picture, uint8 of shape (1, height, width, channels)."""
    _, height, width, channels = shape
    coarse = np.random.default_rng(1).uniform(0, 255, (8, 8, 3)).astype(np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)[None, ..., :channels]


def disturbed(inputs: Sequence[np.ndarray], seed: int, rounding: float) -> list[np.ndarray]:
    """Return inputs that are off by what rounding is, of their largest value."""
    generator = np.random.default_rng(seed)

    def moved(array: np.ndarray) -> np.ndarray:
        if not np.issubdtype(array.dtype, np.floating) or not array.size:
            return array
        scale = rounding * (float(np.abs(array).max()) or 1.0)
        return array + (scale * generator.standard_normal(array.shape)).astype(array.dtype)

    return [moved(array) for array in inputs]
