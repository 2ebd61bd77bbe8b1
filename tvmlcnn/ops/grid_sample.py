"""Sampling maps by a grid."""

from __future__ import annotations

import itertools
import math
from typing import Any

from tvm import te, tirx
from tvm.ir import Expr

from tvmlcnn.targets import FLOAT32

from .taps import Tap, bounded, f32, kept, sampled

_CUBIC = -0.75  # the free coefficient of Keys (1981), as torch has it


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
    return sampled(data, grid, shape, sizes, taps, lambda where, image: image, gpu)


def _along(value: Expr, size: int, mode: str, padding: str, align: bool) -> list[Tap]:
    """Return the taps along one axis, of a coordinate between -1 and 1.

    One that is no number makes the sample none either, where torch does not bring it into the map:
    there it is the first element's, and without a weight it is outside.
    """
    scale = (size - 1) / 2 if align else size / 2
    given = kept((value + f32(1)) * f32(scale) - f32(0 if align else 0.5))
    unknown = kept(tirx.isnan(given), "int32") != 0
    outside = mode == "nearest" and padding == "zeros"
    at = kept(tirx.Select(unknown, f32(-1 if outside else 0), given))
    if mode == "bicubic":
        # Each tap is brought into the map by itself.
        at = kept(bounded(at, -1e6, 1e6) if padding == "reflection" else _limited(at, size))
        base = _floor(at)
        part = kept(at - base)
        steps = range(-1, 3)
        found = [_inside(base + f32(step), size, padding, align) for step in steps]
        weights = [_cubic(part, step) for step in steps]
    elif mode == "nearest":
        found = [_inside(_rounded(_within(at, size, padding, align)), size, "zeros", align)]
        weights = [f32(1)]
    else:
        at = _within(at, size, padding, align)
        base = _floor(at)
        found = [_inside(base + f32(step), size, "zeros", align) for step in (0, 1)]
        weights = [f32(1) - (at - base), at - base]
    if mode == "bicubic" or (mode == "bilinear" and padding == "zeros"):
        weights = [tirx.Select(unknown, f32(math.nan), weight) for weight in weights]
    return [
        Tap((place,), kept(weight), inside)
        for (place, inside), weight in zip(found, weights, strict=True)
    ]


def _within(at: Expr, size: int, padding: str, align: bool) -> Expr:
    """Return a coordinate that lies within the map, or not far outside where that is zero."""
    if padding == "zeros":
        return kept(_limited(at, size))
    if padding == "reflection":
        low, span = (0.0, size - 1) if align else (-0.5, size)
        if span == 0:
            return f32(0)
        away = kept(tirx.abs(bounded(at, -1e6, 1e6) - f32(low)))
        turns = _floor(away / f32(2 * span))
        rest = kept(away - turns * f32(2 * span))
        at = tirx.min(rest, f32(2 * span) - rest) + f32(low)
    return kept(bounded(at, 0, size - 1))


def _inside(at: Expr, size: int, padding: str, align: bool) -> tuple[Expr, Expr]:
    """Return the element of a whole coordinate, and whether it is in the map."""
    if padding != "zeros":
        at = _rounded(_within(at, size, padding, align))
    place = kept(at, "int32")
    inside = kept(tirx.all(place >= 0, place < size), "int32")
    return kept(tirx.max(tirx.min(place, size - 1), 0), "int32"), inside != 0


def _limited(at: Expr, size: int) -> Expr:
    """Return a coordinate that an integer can hold: of those outside all taps are outside."""
    return bounded(at, -4, size + 3)


def _floor(at: Expr) -> Expr:
    """Return the floor of a coordinate by integers: a call of the library on 32-bit ARM."""
    whole = kept(tirx.Cast(FLOAT32.name, tirx.Cast("int32", at)))
    return kept(whole - tirx.Select(whole > at, f32(1), f32(0)))


def _rounded(at: Expr) -> Expr:
    """Return the nearest integer, the even one of two."""
    low = _floor(at)
    part = kept(at - low)
    odd = tirx.bitwise_and(tirx.Cast("int32", low), 1) == 1
    up = tirx.any(part > f32(0.5), tirx.all(part == f32(0.5), odd))
    return kept(low + tirx.Select(up, f32(1), f32(0)))


def _cubic(part: Expr, step: int) -> Expr:
    """Return the weight of a tap, ``step`` from the one below the coordinate (Keys 1981)."""
    away = part - f32(step) if step <= 0 else f32(step) - part
    if step in (0, 1):
        return (f32(_CUBIC + 2) * away - f32(_CUBIC + 3)) * away * away + f32(1)
    cube = (f32(_CUBIC) * away - f32(5 * _CUBIC)) * away + f32(8 * _CUBIC)
    return cube * away - f32(4 * _CUBIC)
