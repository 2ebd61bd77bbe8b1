"""Elements of maps at places that tensors say: sampling by a grid, and the alignment of regions."""

from __future__ import annotations

import itertools
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
_CUBIC = -0.75  # the free coefficient of Keys (1981), as torch has it


@dataclass(frozen=True)
class Tap:
    """An element that a point reads: its place along each axis, its factor, whether it is there."""

    place: tuple[Expr, ...]
    weight: Expr
    inside: Expr


def grid_sample(
    data: te.Tensor,
    grid: te.Tensor,
    sizes: tuple[int, ...],
    mode: str,
    padding: str,
    align: bool,
    gpu: bool,
) -> list[te.Tensor]:
    """Return the maps at the points of a grid, as ``torch.nn.functional.grid_sample`` does.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, product of the sizes, C), float32.
    grid : te.Tensor
        Shape (N, points, axes), float32: the last axis of the maps first, from -1 to 1.
    sizes : tuple of int
        Of the maps, two or three.
    mode : str
        ``"bilinear"``, ``"nearest"`` or ``"bicubic"``.
    padding : str
        ``"zeros"``, ``"border"`` or ``"reflection"``.
    align, gpu : bool

    Returns
    -------
    list of te.Tensor
        One, of the shape (N, points, C).
    """
    images, _, channels = (int(n) for n in data.shape)
    points = int(grid.shape[1])

    def taps(where: Any, image: Expr, point: Expr) -> list[Tap]:
        axes = [
            _along(where[image, point, len(sizes) - 1 - axis], size, mode, padding, align)
            for axis, size in enumerate(sizes)
        ]
        return [
            Tap(
                tuple(tap.place[0] for tap in group),
                math.prod([tap.weight for tap in group[1:]], start=group[0].weight),
                tirx.all(*(tap.inside for tap in group)),
            )
            for group in itertools.product(*axes)
        ]

    shape = images, points, channels
    return _sampled(data, grid, shape, sizes, taps, lambda where, image: image, gpu)


def roi_align(
    data: te.Tensor,
    regions: te.Tensor,
    sizes: tuple[int, int],
    scale: float,
    bins: tuple[int, int],
    samples: int,
    aligned: bool,
    gpu: bool,
) -> list[te.Tensor]:
    """Return means of the maps over the bins of regions, as ``torchvision.ops.roi_align`` does.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H * W, C), float32.
    regions : te.Tensor
        Shape (K, 5), float32: number of the image, x1, y1, x2, y2.
    sizes : tuple of int
        H and W.
    scale : float
        Of the regions' coordinates to the maps'.
    bins : tuple of int
        Rows and columns of them.
    samples : int
        Along each axis of a bin.
    aligned, gpu : bool

    Returns
    -------
    list of te.Tensor
        One, of the shape (K, rows * columns, C).
    """
    images, _, channels = (int(n) for n in data.shape)
    number, (bins_down, bins_across) = int(regions.shape[0]), bins
    half = 0.5 if aligned else 0.0

    def taps(region: Any, row: Expr, point: Expr) -> list[Tap]:
        def along(axis: int, place: Expr, count: int, extent: int) -> list[list[Tap]]:
            start = _kept(region[row, 1 + axis] * _f32(scale) - _f32(half))
            length = region[row, 3 + axis] * _f32(scale) - _f32(half) - start
            length = length if aligned else tirx.max(length, _f32(1))
            step = _kept(length / _f32(count))
            at = _kept(start + tirx.Cast(FLOAT32.name, place) * step)
            return [
                _clamped_pair(at + _f32(i + 0.5) * step / _f32(samples), extent)
                for i in range(samples)
            ]

        down = along(1, point // bins_across, bins_down, sizes[0])
        across = along(0, point % bins_across, bins_across, sizes[1])
        share = _f32(1 / samples**2)
        return [
            Tap(
                (y.place[0], x.place[0]),
                y.weight * x.weight * share,
                tirx.all(y.inside, x.inside),
            )
            for rows_, columns in itertools.product(down, across)
            for y, x in itertools.product(rows_, columns)
        ]

    def image_of(region: Any, row: Expr) -> Expr:
        number = tirx.Cast("int32", region[row, 0])
        return tirx.max(tirx.min(number, images - 1), 0)

    shape = number, bins_down * bins_across, channels
    return _sampled(data, regions, shape, sizes, taps, image_of, gpu)


def _sampled(
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
                    factors.append(_kept(tap.weight))
                    places.append(_kept(_flat(tap.place, sizes), "int32"))
                    there.append(_kept(tap.inside, "int32"))
                with T.serial(0, channels // width) as group, lanes(0, width) as one:
                    channel = group * width + one
                    total: Expr = _f32(0)
                    for factor, place, inside in zip(factors, places, there, strict=True):
                        part = source[image[0], place, channel] * factor
                        # What is outside is nothing, even where infinity is in its place.
                        total = total + tirx.Select(inside != 0, part, _f32(0))
                    result[item, first + lane, channel] = total

    return written([body], [data, where], [Result(shape, FLOAT32.name)], "sample")


def _along(value: Expr, size: int, mode: str, padding: str, align: bool) -> list[Tap]:
    """Return the taps along one axis, of a coordinate between -1 and 1.

    One that is no number makes the sample none either, where torch does not bring it into the map:
    there it is the first element's, and without a weight it is outside.
    """
    scale = (size - 1) / 2 if align else size / 2
    given = _kept((value + _f32(1)) * _f32(scale) - _f32(0 if align else 0.5))
    unknown = _kept(tirx.isnan(given), "int32") != 0
    outside = mode == "nearest" and padding == "zeros"
    at = _kept(tirx.Select(unknown, _f32(-1 if outside else 0), given))
    if mode == "bicubic":
        # Each tap is brought into the map by itself.
        at = _kept(_bounded(at, -1e6, 1e6) if padding == "reflection" else _limited(at, size))
        base = _floor(at)
        part = _kept(at - base)
        steps = range(-1, 3)
        found = [_inside(base + _f32(step), size, padding, align) for step in steps]
        weights = [_cubic(part, step) for step in steps]
    elif mode == "nearest":
        found = [_inside(_rounded(_within(at, size, padding, align)), size, "zeros", align)]
        weights = [_f32(1)]
    else:
        at = _within(at, size, padding, align)
        base = _floor(at)
        found = [_inside(base + _f32(step), size, "zeros", align) for step in (0, 1)]
        weights = [_f32(1) - (at - base), at - base]
    if mode == "bicubic" or (mode == "bilinear" and padding == "zeros"):
        weights = [tirx.Select(unknown, _f32(math.nan), weight) for weight in weights]
    return [
        Tap((place,), _kept(weight), inside)
        for (place, inside), weight in zip(found, weights, strict=True)
    ]


def _within(at: Expr, size: int, padding: str, align: bool) -> Expr:
    """Return a coordinate that lies within the map, or not far outside where that is zero."""
    if padding == "zeros":
        return _kept(_limited(at, size))
    if padding == "reflection":
        low, span = (0.0, size - 1) if align else (-0.5, size)
        if span == 0:
            return _f32(0)
        away = _kept(tirx.abs(_bounded(at, -1e6, 1e6) - _f32(low)))
        turns = _floor(away / _f32(2 * span))
        rest = _kept(away - turns * _f32(2 * span))
        at = tirx.min(rest, _f32(2 * span) - rest) + _f32(low)
    return _kept(_bounded(at, 0, size - 1))


def _inside(at: Expr, size: int, padding: str, align: bool) -> tuple[Expr, Expr]:
    """Return the element of a whole coordinate, and whether it is in the map."""
    if padding != "zeros":
        at = _rounded(_within(at, size, padding, align))
    place = _kept(at, "int32")
    inside = _kept(tirx.all(place >= 0, place < size), "int32")
    return _kept(tirx.max(tirx.min(place, size - 1), 0), "int32"), inside != 0


def _limited(at: Expr, size: int) -> Expr:
    """Return a coordinate that an integer can hold: of those outside all taps are outside."""
    return _bounded(at, -4, size + 3)


def _bounded(at: Expr, low: float, high: float) -> Expr:
    return tirx.max(tirx.min(at, _f32(high)), _f32(low))


def _floor(at: Expr) -> Expr:
    """Return the floor of a coordinate by integers: a call of the library on 32-bit ARM."""
    whole = _kept(tirx.Cast(FLOAT32.name, tirx.Cast("int32", at)))
    return _kept(whole - tirx.Select(whole > at, _f32(1), _f32(0)))


def _rounded(at: Expr) -> Expr:
    """Return the nearest integer, the even one of two."""
    low = _floor(at)
    part = _kept(at - low)
    odd = tirx.bitwise_and(tirx.Cast("int32", low), 1) == 1
    up = tirx.any(part > _f32(0.5), tirx.all(part == _f32(0.5), odd))
    return _kept(low + tirx.Select(up, _f32(1), _f32(0)))


def _cubic(part: Expr, step: int) -> Expr:
    """Return the weight of a tap, ``step`` from the one below the coordinate (Keys 1981)."""
    away = part - _f32(step) if step <= 0 else _f32(step) - part
    if step in (0, 1):
        return (_f32(_CUBIC + 2) * away - _f32(_CUBIC + 3)) * away * away + _f32(1)
    cube = (_f32(_CUBIC) * away - _f32(5 * _CUBIC)) * away + _f32(8 * _CUBIC)
    return cube * away - _f32(4 * _CUBIC)


def _clamped_pair(at: Expr, size: int) -> list[Tap]:
    """Return the two taps of linear interpolation as roi_align has them at the borders."""
    at = _kept(at)
    inside = _kept(tirx.all(at >= _f32(-1), at <= _f32(size)), "int32")
    at = _kept(_bounded(at, 0, size - 1))
    low = _kept(at, "int32")
    part = _kept(at - tirx.Cast(FLOAT32.name, low))
    high = _kept(tirx.min(low + 1, size - 1), "int32")
    return [Tap((low,), _f32(1) - part, inside != 0), Tap((high,), part, inside != 0)]


def _flat(place: Sequence[Expr], sizes: Sequence[int]) -> Expr:
    result = place[0]
    for index, size in zip(place[1:], sizes[1:], strict=True):
        result = result * size + index
    return result


def _kept(value: Expr, dtype: str = FLOAT32.name) -> Expr:
    """Return a value that is computed once; TVM's simplifier chokes on what is written out."""
    return variable(value, dtype)[0]


def _f32(value: float) -> Expr:
    return tirx.const(value, FLOAT32.name)
