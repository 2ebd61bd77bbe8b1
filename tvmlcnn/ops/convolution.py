"""Depthwise convolutions over channels-last data, and what all convolutions have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvm import te, tirx, topi
from tvm.ir import Expr

from tvmlcnn.targets import CODES


@dataclass(frozen=True)
class Window:
    """How a convolution walks over its input: (height, width) each, but the padding.

    Attributes
    ----------
    strides, dilation : tuple of int
    padding : tuple of int
        Top, left, bottom, right.
    """

    strides: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0, 0, 0)
    dilation: tuple[int, ...] = (1, 1)

    def padded(self, data: te.Tensor, channels_first: bool = False, zero: int = 0) -> te.Tensor:
        """Return data, NHWC or NCHW, with what stands for zero around the maps."""
        top, left, bottom, right = self.padding
        if not any(self.padding):
            return data
        before, after = [0, top, left], [0, bottom, right]
        channel = 1 if channels_first else 3
        before.insert(channel, 0)
        after.insert(channel, 0)
        return topi.nn.pad(data, before, after, tirx.const(zero, data.dtype), name="pad")

    def output(self, size: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """Return height and width of the output for a padded input of ``size``."""
        return [
            (n - (taps - 1) * spread - 1) // step + 1
            for n, taps, step, spread in zip(size, kernel, self.strides, self.dilation, strict=True)
        ]

    def read(self, pixel: Sequence[Expr], tap: Sequence[Expr]) -> list[Expr]:
        """Return where in the padded data a tap of a kernel lies for a pixel (n, h, w)."""
        batch, *place = pixel
        return [
            batch,
            *(
                at * step + offset * spread
                for at, offset, step, spread in zip(
                    place, tap, self.strides, self.dilation, strict=True
                )
            ),
        ]


def product(value: Expr, weight: Expr, zero: int = 0) -> Expr:
    """Return the product of a number and a weight, or of a code less its zero and an integer."""
    code = str(value.ty.dtype)
    if code not in CODES:
        return value * weight
    wide = CODES[code].accumulator
    shifted = value.astype(wide) - tirx.const(zero, wide) if zero else value.astype(wide)
    return shifted * weight.astype(wide)


def depthwise(
    data: te.Tensor,
    weight: te.Tensor,
    window: Window,
    batch: int | None = None,
    first: tuple[int, int] = (0, 0),
    zero: int = 0,
) -> te.Tensor:
    """Return the depthwise convolution of NHWC data.

    Parameters
    ----------
    data : te.Tensor
    weight : te.Tensor
        Shape (rows, columns, C), or (planes, rows, columns, C) where each plane of the data has
        its own.
    window : Window
    batch : int, optional
        Of the result; by default that of the data.
    first : tuple of int
        Map, and channel of it, that the first of the result are computed from.
    zero : int
        Of data that are codes: the one that stands for zero.
    """
    padded = window.padded(data, zero=zero)
    outermost, height, width, _ = (int(n) for n in padded.shape)
    batch = batch or outermost
    *planes, rows, columns, channels = (int(n) for n in weight.shape)
    taps = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate((rows, columns))]

    def total(n: Expr, h: Expr, w: Expr, c: Expr) -> Expr:
        map_, channel = first
        own = [n // (batch // planes[0])] if planes else []
        n, source = (n + map_ if map_ else n), (c + channel if channel else c)
        value = padded(*window.read((n, h, w), taps), source)
        return te.sum(product(value, weight(*own, *taps, c), zero), axis=taps)

    size = window.output((height, width), (rows, columns))
    return te.compute((batch, *size, channels), total, name="depthwise")
