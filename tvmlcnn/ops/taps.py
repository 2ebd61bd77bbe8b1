"""Sums of elements of maps at places that tensors say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tvm import te, tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from tvmlcnn.targets import FLOAT32

from .rows import Result, rows, variable, written

_ABREAST = 16  # points that are the work of one core: as many as a row of a small map has
_VECTOR = 16  # channels at once: two vectors of AVX2, four of NEON


@dataclass(frozen=True)
class Tap:
    """An element that a point reads: its place along each axis, its factor, whether it is there."""

    place: tuple[Expr, ...]
    weight: Expr
    inside: Expr


def sampled(
    data: te.Tensor,
    where: te.Tensor,
    shape: tuple[int, int, int],
    sizes: Sequence[int],
    taps: Callable[[Any, Expr, Expr], list[Tap]],
    image_of: Callable[[Any, Expr], Expr],
    gpu: bool,
) -> list[te.Tensor]:
    """Return sums of taps: a point finds its taps once, and reads all channels by them."""
    number, points, channels = shape
    abreast = min(points, _ABREAST)
    blocks = -(-points // abreast)
    width = math.gcd(channels, _VECTOR)
    lanes = T.vectorized if width > 1 and not gpu else T.serial

    def body(source: Any, grid: Any, result: Any) -> None:
        with rows(number * blocks, gpu) as row:
            item, block = row // blocks, row % blocks
            # The last block begins where it ends with the last point.
            first = tirx.min(block * abreast, points - abreast)
            image = variable(image_of(grid, item), "int32")
            with T.serial(0, abreast) as lane:
                factors, places, there = [], [], []
                for tap in taps(grid, item, first + lane):
                    factors.append(kept(tap.weight))
                    places.append(kept(_flat(tap.place, sizes), "int32"))
                    there.append(kept(tap.inside, "int32"))
                with T.serial(0, channels // width) as group, lanes(0, width) as one:
                    channel = group * width + one
                    total: Expr = f32(0)
                    for factor, place, inside in zip(factors, places, there, strict=True):
                        part = source[image[0], place, channel] * factor
                        # What is outside is nothing, even where infinity is in its place.
                        total = total + tirx.Select(inside != 0, part, f32(0))
                    result[item, first + lane, channel] = total

    return written([body], [data, where], [Result(shape, FLOAT32.name)], "sample")


def bounded(at: Expr, low: float, high: float) -> Expr:
    """Return a coordinate, brought between two bounds."""
    return tirx.max(tirx.min(at, f32(high)), f32(low))


def _flat(place: Sequence[Expr], sizes: Sequence[int]) -> Expr:
    result = place[0]
    for index, size in zip(place[1:], sizes[1:], strict=True):
        result = result * size + index
    return result


def kept(value: Expr, dtype: str = FLOAT32.name) -> Expr:
    """Return a value that is computed once; TVM's simplifier chokes on what is written out."""
    return variable(value, dtype)[0]


def f32(value: float) -> Expr:
    """Return a number as a constant."""
    return tirx.const(value, FLOAT32.name)
