"""A depthwise convolution and the pointwise one that reads it, as the product of two matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvm import te, tirx
from tvm.ir import Expr

from .convolution import Window
from .formula import Formula
from .matrix_product import LANES, multiplied
from .reduction import raveled, unraveled


def depthwise_pointwise(
    data: te.Tensor,
    kernel: te.Tensor,
    weight: te.Tensor,
    *parameters: te.Tensor,
    shape: Sequence[int],
    window: Window,
    rows: int,
    pixels: int,
    epilogue: Formula,
) -> te.Tensor:
    """Return the pointwise convolution of what a depthwise one makes of NHWC data.

    The map between them is the left matrix of a product, which has a row for each pixel. The block
    ``panel`` makes it of the blocks before: ``pad``, the windows that some neighbouring pixels of a
    row read, ``depthwise``, their sums, and ``between``, what is applied to these.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, C).
    kernel : te.Tensor
        Of the depthwise convolution, shape (rows, columns, K). More channels than it has are not
        read; where it has more, to fill up chunks, vectors past the last of the data's are zeros.
    weight : te.Tensor
        Of the pointwise one, shape (blocks, parts, steps of a part, channels of a block); the steps
        of all parts are K.
    *parameters : te.Tensor
        Of the epilogue, by channel.
    shape : sequence of int
        Of the result: (N, H', W', channels).
    window : Window
        Of the depthwise convolution.
    rows : int
        Of a tile: whole ones are computed, and what is past the end is not stored.
    pixels : int
        Neighbours whose windows are read together: a divisor of W' and of ``rows``.
    epilogue : Formula
        Makes of a value of the depthwise convolution, and of the parameters of its channel, what
        the pointwise one reads.
    """
    _, height, width, stored = (int(n) for n in data.shape)
    *taps, channels = (int(n) for n in kernel.shape)
    _, parts, own_steps, _ = (int(n) for n in weight.shape)
    batch, down, across, _ = shape
    count = math.prod(shape[:-1])
    computed = -(-count // rows) * rows
    top, left, _, _ = window.padding
    reads = [
        (n - 1) * step + (many - 1) * spread + 1
        for n, many, step, spread in zip(
            (1, pixels), taps, window.strides, window.dilation, strict=True
        )
    ]
    zero = tirx.const(0, data.dtype)

    def padded(group: Expr, row: Expr, column: Expr, channel: Expr) -> Expr:
        if computed > count:  # whole tiles: past the end, the last pixels again
            group = tirx.min(group, count // pixels - 1)
        image, y, x = unraveled(group, (batch, down, across // pixels))
        y = y * window.strides[0] + row - top
        x = x * (pixels * window.strides[1]) + column - left
        inside = tirx.all(y >= 0, y < height, x >= 0, x < width)
        if channels > stored:
            inside = tirx.all(inside, channel // LANES < stored // LANES)
        return tirx.if_then_else(inside, data[image, y, x, channel], zero)

    pad = te.compute((computed // pixels, *reads, channels), padded, name="pad")
    axes = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate(taps)]

    def total(group: Expr, pixel: Expr, channel: Expr) -> Expr:
        _, row, column = window.read((group, 0, pixel), axes)
        return te.sum(pad[group, row, column, channel] * kernel(*axes, channel), axis=axes)

    cut = (computed // pixels, pixels, channels)
    sums = te.compute(cut, total, name="depthwise")
    between = te.compute(
        cut,
        lambda group, pixel, channel: epilogue(
            sums(group, pixel, channel), *(each(channel) for each in parameters)
        ),
        name="between",
    )
    panel = te.compute(
        (1, parts, computed, own_steps),
        lambda _, part, row, step: between(row // pixels, row % pixels, part * own_steps + step),
        name="panel",
    )
    product = multiplied(panel, weight)
    return te.compute(
        tuple(shape),
        lambda *place: product(raveled(place[:-1], shape[:-1]), place[-1]),
        name="store",
    )
