"""What each pixel of a convolution reads, brought together: bytes of few channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import te
from tvm.script.ir_builder import tirx as T

from .convolution import Window
from .rows import Result, rows, written
from .shuffle import LANES, chosen


def patches(data: te.Tensor, places: np.ndarray, window: Window, shape: tuple[int, ...]) -> te.Tensor:
    """Return the bytes of a map that each pixel of a convolution reads.

    A row of a kernel's taps is one load, and what is asked for of all of them is shuffled together.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, width), with what lies around the map, and so many columns that sixteen
        bytes can be read where the last pixel's taps begin.
    places : numpy.ndarray
        Where the bytes are, ``row * LANES + tap * width + channel``, or -1 for a zero; shape
        (C,), a multiple of sixteen.
    window : Window
        Its steps; taps are neighbours.
    shape : tuple of int
        Of the result, (N, H', W', C).

    Returns
    -------
    te.Tensor
    """
    batch, height, width, _ = shape
    down, across = window.strides
    dtype = str(data.dtype)
    pieces = places.reshape(-1, LANES)

    def body(source: Any, result: Any) -> None:
        with rows(batch * height, False) as row, T.serial(0, width) as column:
            n, h = row // height, row % height
            for number, piece in enumerate(pieces):
                lines = sorted({place // LANES for place in piece.tolist() if place >= 0})
                found = [
                    source[n, h * down + line, column * across, T.Ramp(0, 1, LANES)]
                    for line in lines
                ]
                lanes = [
                    (-1, 0) if place < 0 else (lines.index(place // LANES), place % LANES)
                    for place in piece.tolist()
                ]
                whole = chosen(found, lanes, dtype)
                result[n, h, column, T.Ramp(number * LANES, 1, LANES)] = whole

    (made,) = written([body], [data], [Result(shape, dtype)], "patches")
    return made
