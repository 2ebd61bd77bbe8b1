"""Convolutions summed up tap by tap, of few input channels."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import te
from tvm.ir import Expr

from .convolution import Window, product


def direct(
    data: te.Tensor,
    weight: te.Tensor,
    *,
    shape: Sequence[int],
    window: Window,
    columns: int,
    channels_first: bool,
) -> te.Tensor:
    """Return a convolution over all channels of the data, one after the other.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, C), or (N, C, H, W) with ``channels_first``.
    weight : te.Tensor
        Shape (rows, columns, C, channels).
    shape : sequence of int
        Of the result: (N, H', W', channels).
    window : Window
    columns : int
        Of a tile. Whole tiles are computed: what is past the end of a row is not stored.
    channels_first : bool
    """
    *kernel, inner, _ = (int(n) for n in weight.shape)
    batch, height, width, channels = shape
    computed = -(-width // columns) * columns
    size = [int(n) for n in (data.shape[2:] if channels_first else data.shape[1:3])]
    reached = window.reaching(size, kernel, (height, computed))
    padded = reached.padded(data, channels_first)
    ry, c, rx = (te.reduce_axis((0, n), name) for n, name in zip(
        (kernel[0], inner, kernel[1]), ("ry", "c", "rx"), strict=True
    ))  # fmt: skip

    def term(n: Expr, h: Expr, w: Expr, channel: Expr) -> Expr:
        image, y, x = window.read((n, h, w), (ry, rx))
        place = (image, c, y, x) if channels_first else (image, y, x, c)
        return te.sum(product(padded(*place), weight(ry, rx, c, channel)), axis=[ry, c, rx])

    total = te.compute((batch, height, computed, channels), term, name="direct")
    if computed == width:
        return total
    return te.compute(tuple(shape), lambda *place: total(*place), name="store")
