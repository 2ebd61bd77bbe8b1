"""Channels of bytes from anywhere to anywhere, by shuffles that are known at compile time."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T
from tvm.tirx import Broadcast, Shuffle

from .rows import Result, rows, written

LANES = 16
"""Bytes that are moved together: what the vectors of all processors hold."""


def shuffle(data: te.Tensor, places: np.ndarray, batch: int) -> te.Tensor:
    """Return channels of a map of bytes that is stored in planes.

    Each sixteen channels are shuffled from as many vectors as have some of them: a channel shuffle
    takes every other one from each of two.

    Parameters
    ----------
    data : te.Tensor
        Shape (planes * N, H, W, width), of at least sixteen channels.
    places : numpy.ndarray
        Where channels are, ``plane * width + position``, or -1 for a zero; shape (C,), a multiple
        of sixteen.
    batch : int
        N.

    Returns
    -------
    te.Tensor
        Shape (N, H, W, C).
    """
    _, height, width, wide = (int(n) for n in data.shape)
    dtype = str(data.dtype)
    pieces = [_vectors(piece, wide) for piece in places.reshape(-1, LANES)]

    def body(source: Any, result: Any) -> None:
        with rows(batch * height, False) as row, T.serial(0, width) as column:
            n, h = row // height, row % height
            for number, (vectors, lanes) in enumerate(pieces):
                found = [
                    source[plane * batch + n, h, column, T.Ramp(first, 1, LANES)]
                    for plane, first in vectors
                ]
                whole = chosen(found, lanes, dtype)
                result[n, h, column, T.Ramp(number * LANES, 1, LANES)] = whole

    (made,) = written(
        [body], [data], [Result((batch, height, width, len(places)), dtype)], "shuffle"
    )
    return made


def _vectors(places: np.ndarray, wide: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the vectors that channels lie in, and for each channel which one, and its lane.

    Vectors are a plane and the first position in it. A zero is in none, which is the number -1.
    """
    vectors: list[tuple[int, int]] = []
    found: dict[int, tuple[int, int]] = {-1: (-1, 0)}
    for place in sorted(set(places.tolist()) - {-1}):
        plane, position = divmod(place, wide)
        if not vectors or vectors[-1][0] != plane or position >= vectors[-1][1] + LANES:
            vectors.append((plane, min(position, wide - LANES)))
        found[place] = (len(vectors) - 1, position - vectors[-1][1])
    return vectors, [found[place] for place in places.tolist()]


def chosen(vectors: list[Expr], places: list[tuple[int, int]], dtype: str) -> Expr:
    """Return lanes of vectors as one, taken from two vectors at a time.

    Each is the number of a vector and a lane of it; -1 is that of a zero.
    """
    zeros = Broadcast(tirx.const(0, dtype), LANES)
    whole = vectors[0] if vectors else zeros
    lanes = [lane if number == 0 else 0 for number, lane in places]
    for number, vector in [*enumerate(vectors)][1:]:
        lanes = [
            LANES + lane if of == number else before
            for before, (of, lane) in zip(lanes, places, strict=True)
        ]
        whole, lanes = _shuffled(whole, vector, lanes), list(range(LANES))
    if any(number < 0 for number, _ in places):
        lanes = [LANES if of < 0 else before for before, (of, _) in zip(lanes, places, strict=True)]
        return _shuffled(whole, zeros, lanes)
    return whole if lanes == list(range(LANES)) else _shuffled(whole, whole, lanes)


def _shuffled(left: Expr, right: Expr, lanes: list[int]) -> Expr:
    return Shuffle([left, right], [tirx.const(lane, "int32") for lane in lanes])
