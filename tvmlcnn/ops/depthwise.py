"""Depthwise convolutions over channels-last data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr

from tvmlcnn.targets import CODES, INT8

from .convolution import Window, product
from .widening import as_type


def depthwise(
    data: te.Tensor,
    weight: te.Tensor,
    *excess: te.Tensor,
    window: Window,
    batch: int | None = None,
    first: tuple[int, int] = (0, 0),
    zero: int = 0,
    tile: tuple[int, int] = (1, 1),
    sums: str = "",
    shifted: bool = True,
) -> te.Tensor:
    """Return the depthwise convolution of NHWC data.

    Parameters
    ----------
    data : te.Tensor
    weight : te.Tensor
        Shape (rows, columns, C), or (planes, rows, columns, C) where each plane of the data has
        its own. Integers that codes are multiplied by may be held as float32.
    *excess : te.Tensor
        Where codes are ``shifted``, the sums of those that all are ``zero``, of the type of sums:
        shape (C,), or (planes, C). What lies around the maps adds nothing to sums of codes less
        their zero, and so can be left out.
    window : Window
    batch : int, optional
        Of the result; by default that of the data.
    first : tuple of int
        Map, and channel of it, that the first of the result are computed from.
    zero : int
        Of data that are codes: what lies around the maps.
    tile : tuple of int
        Rows and columns of a tile. Whole tiles are computed: what is past the end of the map is not
        stored.
    sums : str
        The type that products are added up in, where it is not that of the data.
    shifted : bool
        Whether codes are multiplied less their zero.
    """
    outermost, *inner, _ = (int(n) for n in data.shape)
    batch = batch or outermost
    *planes, rows, columns, channels = (int(n) for n in weight.shape)
    top, left, bottom, right = window.padding
    around = [inner[0] + top + bottom, inner[1] + left + right]
    size = window.output(around, (rows, columns))
    computed = [-(-n // side) * side for n, side in zip(size, tile, strict=True)]
    padded = window.reaching(inner, (rows, columns), computed).padded(data, zero=zero)
    taps = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate((rows, columns))]

    def own(n: Expr) -> list[Expr]:
        return [n // (batch // planes[0])] if planes else []

    def total(n: Expr, h: Expr, w: Expr, c: Expr) -> Expr:
        value = padded(*from_first(first, window.read((n, h, w), taps), c))
        taken = zero if shifted else 0
        return te.sum(product(value, weight(*own(n), *taps, c), taken, sums), axis=taps)

    shape = (batch, *size, channels)
    made = te.compute((batch, *computed, channels), total, name="depthwise")
    dtype = INT8.accumulator if str(data.dtype) in CODES else made.dtype
    if not excess and made.dtype == dtype:
        return made if computed == size else te.compute(shape, lambda *at: made(*at), name="store")

    def whole(n: Expr, h: Expr, w: Expr, c: Expr) -> Expr:
        result = made(n, h, w, c)
        return as_type(result + excess[0](*own(n), c) if excess else result, dtype)

    return te.compute(shape, whole, name="whole")


def pack_depthwise(weight: np.ndarray, products: int) -> np.ndarray:
    """Pack the weights of rows together, of which an instruction multiplies several.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (..., rows, columns, C).
    products : int

    Returns
    -------
    numpy.ndarray
        Shape (..., groups of rows, columns, C, products); rows that there are not have zeros.
    """
    *planes, rows, columns, channels = weight.shape
    groups = -(-rows // products)
    whole = np.zeros((*planes, groups * products, columns, channels), weight.dtype)
    whole[..., :rows, :, :] = weight
    split = whole.reshape(*planes, groups, products, columns, channels)
    return np.ascontiguousarray(np.moveaxis(split, -3, -1))


def depthwise_products(
    data: te.Tensor,
    weight: te.Tensor,
    rows: int,
    pixels: int,
    window: Window,
    batch: int | None = None,
    first: tuple[int, int] = (0, 0),
    zero: int = 0,
    widened: str = "",
) -> te.Tensor:
    """Return the depthwise convolution of NHWC codes, summed in int32.

    The codes of several rows of the kernel are brought together, channel by channel, for each row
    of the result: "columns" of shape (N, H', groups of rows, padded W, C, codes together).

    Parameters
    ----------
    data : te.Tensor
    weight : te.Tensor
        Shape (groups of rows, columns, C, codes together), or (planes, ...), from
        `pack_depthwise`.
    rows : int
        Of the kernel.
    pixels : int
        Of a tile. Whole tiles are computed: those past the end of a row are not stored.
    window, batch, first, zero
        As of `depthwise`.
    widened : str
        The type that codes are brought to before they are multiplied, if any.
    """
    outermost, *inner, _ = (int(n) for n in data.shape)
    batch = batch or outermost
    *planes, groups, taps, channels, products = (int(n) for n in weight.shape)
    (step, stride), (spread, apart) = window.strides, window.dilation
    top, left, bottom, right = window.padding
    around = [inner[0] + top + bottom, inner[1] + left + right]
    height, width = window.output(around, (rows, taps))
    computed = -(-width // pixels) * pixels
    read = (computed - 1) * stride + (taps - 1) * apart + 1
    padded = window.reaching(inner, (rows, taps), (height, computed)).padded(data, zero=zero)

    def code(n: Expr, h: Expr, group: Expr, w: Expr, c: Expr, part: Expr) -> Expr:
        row = group * products + part
        value = padded(*from_first(first, [n, h * step + row * spread, w], c))
        value = value.astype(widened) if widened else value
        if groups * products == rows:
            return value
        return tirx.if_then_else(row < rows, value, tirx.const(0, value.ty.dtype))

    together = (batch, height, groups, read, channels, products)
    columns = te.compute(together, code, name="columns")
    axes = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate((groups, taps, products))]

    def total(n: Expr, h: Expr, w: Expr, c: Expr) -> Expr:
        group, tap, part = axes
        own = [n // (batch // planes[0])] if planes else []
        value = columns(n, h, group, w * stride + tap * apart, c, part)
        return te.sum(product(value, weight(*own, group, tap, c, part)), axis=axes)

    sums = te.compute((batch, height, computed, channels), total, name="depthwise")
    return te.compute((batch, height, width, channels), lambda *at: sums(*at), name="store")


def from_first(first: tuple[int, int], place: Sequence[Expr], c: Expr) -> list[Expr]:
    """Return where in all maps and channels of the data an element lies."""
    map_, channel = first
    n, *pixel = place
    return [n + map_ if map_ else n, *pixel, c + channel if channel else c]
