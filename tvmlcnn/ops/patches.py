"""What each pixel of a convolution reads, brought together: bytes of few channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T
from tvm.tirx import Broadcast

from .convolution import Window
from .rows import Result, rows, written
from .shuffle import LANES, chosen


def patches(
    data: te.Tensor, places: np.ndarray, window: Window, shape: tuple[int, ...], zero: int
) -> te.Tensor:
    """Return the bytes of a map that each pixel of a convolution reads.

    A row of a kernel's taps is one load, and what is asked for of all of them is shuffled together.
    Where a load would leave the map's row each byte is moved by itself.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, width), whose taps of a row are sixteen bytes at most.
    places : numpy.ndarray
        Where the bytes are, ``row * 16 + tap * width + channel``, or -1 for any; shape (C,), a
        multiple of sixteen.
    window : Window
        Its taps are neighbours.
    shape : tuple of int
        Of the result, (N, H', W', C).
    zero : int
        What lies around the maps.
    """
    batch, height, width, _ = shape
    _, lines, columns, wide = (int(n) for n in data.shape)
    (down, across), (top, left, _, _) = window.strides, window.padding
    dtype = str(data.dtype)
    around = tirx.const(zero, dtype)
    # The first column that a load may begin at, and the one after the last.
    first = min(width, -(-left // across))
    last = max(first, min(width, (columns - LANES // wide + left) // across + 1))

    def body(source: Any, result: Any) -> None:
        def inside(line: Expr) -> Expr:
            return tirx.all(line >= 0, line < lines)

        def vector(n: Expr, line: Expr, column: Expr) -> Expr:
            # Lines that are not there are not read: the first one, or the last, is instead.
            there = tirx.max(0, tirx.min(line, lines - 1))
            found = source[n, there, column, T.Ramp(0, 1, LANES)]
            if top or (height - 1) * down + _rows(places) > lines:
                found = tirx.Select(inside(line), found, Broadcast(around, LANES))
            return found

        def by_vectors(n: Expr, h: Expr, column: Expr) -> None:
            for number, piece in enumerate(places.reshape(-1, LANES).tolist()):
                read = sorted({place // LANES for place in piece if place >= 0})
                begin = column * across - left
                found = [vector(n, h * down - top + line, begin) for line in read]
                lanes = [
                    (read.index(place // LANES), place % LANES) if place >= 0 else (0, 0)
                    for place in piece
                ]
                whole = chosen(found, lanes, dtype)
                result[n, h, column, T.Ramp(number * LANES, 1, LANES)] = whole

        def one_by_one(n: Expr, h: Expr, column: Expr) -> None:
            for number, place in enumerate(places.tolist()):
                tap, channel = divmod(place % LANES, wide)
                line, at = h * down - top + place // LANES, column * across - left + tap
                there = tirx.all(inside(line), at >= 0, at < columns)
                byte = tirx.if_then_else(there, source[n, line, at, channel], around)
                result[n, h, column, number] = around if place < 0 else byte

        with rows(batch * height, False) as row:
            n, h = row // height, row % height
            for start, end, move in (
                (0, first, one_by_one),
                (first, last, by_vectors),
                (last, width, one_by_one),
            ):
                if start < end:
                    with T.serial(start, end) as column:
                        move(n, h, column)

    (made,) = written([body], [data], [Result(shape, dtype)], "patches")
    return made


def _rows(places: np.ndarray) -> int:
    return int(places.max()) // LANES + 1
