"""A pointwise convolution and the depthwise one that reads it, in one kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tvm import te, tirx
from tvm.ir import Expr

from .convolution import Window
from .formula import Formula
from .tile import Tile


@dataclass(frozen=True)
class Banding:
    """How the map between the two convolutions is cut into pieces that stay in a cache.

    Attributes
    ----------
    rows : int
        Rows of output that a piece serves.
    channels : int
        Channels of a piece: a multiple of those of ``pointwise``, and a divisor of the depthwise
        convolution's, or all of them and what fills up the last tile.
    pointwise, depthwise : Tile
        What the two accumulate in registers.
    """

    rows: int
    channels: int
    pointwise: Tile
    depthwise: Tile


def pointwise_depthwise(
    data: te.Tensor,
    weight: te.Tensor,
    kernel: te.Tensor,
    *parameters: te.Tensor,
    shape: Sequence[int],
    window: Window,
    banding: Banding,
    epilogue: Formula,
    steps: int = 1,
) -> te.Tensor:
    """Return the depthwise convolution of what a pointwise one makes of NHWC data.

    The map between them is never whole. Each band of rows of the output has its own rows of it,
    so that a few rows between two bands are computed for both.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H, W, K); more channels than ``weight`` has are not read.
    weight : te.Tensor
        Shape (blocks, K, channels of the tile), from `tvmlcnn.ops.pack`.
    kernel : te.Tensor
        Of the depthwise convolution, shape (rows, columns, C).
    *parameters : te.Tensor
        Of the epilogue, by channel: at least as many as ``weight`` has channels.
    shape : sequence of int
        Of the result: (N, H', W', C).
    window : Window
        Of the depthwise convolution.
    banding : Banding
    epilogue : Formula
        Makes of a value of the pointwise convolution, and of the parameters of its channel, what
        the depthwise one reads.
    steps : int
        As of `dense`.
    """
    _, height, width, _ = (int(n) for n in data.shape)
    taps = [int(n) for n in kernel.shape[:2]]
    size, wide = banding.rows, banding.channels
    top, left, _, _ = window.padding
    between, first = _between(
        data, weight, parameters, shape, taps[0], window, banding, epilogue, steps
    )
    axes = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate(taps)]

    def read(n: Expr, h: Expr, w: Expr, channel: Expr) -> Expr:
        _, y, x = window.read((n, h, w), axes)
        y, x, band = y - top, x - left, h // size
        pixel = (y - first(band)) * width + x
        value = between[n, band, channel // wide, pixel, channel % wide]
        inside = _inside((y, x), (height, width), shape[1:3], taps, window)
        return (
            tirx.if_then_else(tirx.all(*inside), value, tirx.const(0.0, data.dtype))
            if inside
            else value
        )

    return te.compute(
        tuple(shape),
        lambda n, h, w, c: te.sum(read(n, h, w, c) * kernel(*axes, c), axis=axes),
        name="pointwise_depthwise",
    )


def band_rows(rows: int, taps: int, window: Window) -> int:
    """Return how many rows of input so many rows of output read."""
    return (rows - 1) * window.strides[0] + (taps - 1) * window.dilation[0] + 1


def _inside(
    place: Sequence[Expr],
    size: Sequence[int],
    output: Sequence[int],
    taps: Sequence[int],
    window: Window,
) -> list[Expr]:
    """Return the conditions for a place to be in the map, but those that always hold."""
    bounds = []
    for axis, (at, n) in enumerate(zip(place, size, strict=True)):
        before = window.padding[axis]
        last = (output[axis] - 1) * window.strides[axis] - before
        if before:
            bounds.append(at >= 0)
        if last + (taps[axis] - 1) * window.dilation[axis] >= n:
            bounds.append(at < n)
    return bounds


def pointwise_depthwise_windows(
    data: te.Tensor,
    weight: te.Tensor,
    kernel: te.Tensor,
    *parameters: te.Tensor,
    shape: Sequence[int],
    window: Window,
    banding: Banding,
    epilogue: Formula,
    steps: int,
) -> te.Tensor:
    """Return the same by way of windows: "pad" has what a band of the output reads, zeros too.

    Parameters
    ----------
    data, weight, kernel, *parameters, shape, window, banding, epilogue, steps
        As of `pointwise_depthwise`. Whole bands are computed, and whole tiles of a row: what is
        past the end of the map is not stored.
    """
    batch, height, width, _ = (int(n) for n in data.shape)
    taps = [int(n) for n in kernel.shape[:2]]
    size, wide, pixels = banding.rows, banding.channels, banding.depthwise.pixels
    bands, columns = -(-shape[1] // size), -(-shape[2] // pixels) * pixels
    top, left, _, _ = window.padding
    between, first = _between(
        data, weight, parameters, shape, taps[0], window, banding, epilogue, steps
    )
    zero = tirx.const(0.0, data.dtype)
    reads = [
        (n - 1) * step + (count - 1) * spread + 1
        for n, count, step, spread in zip(
            (size, columns), taps, window.strides, window.dilation, strict=True
        )
    ]

    def padded(n: Expr, band: Expr, row: Expr, column: Expr, c: Expr) -> Expr:
        y, x = band * size * window.strides[0] + row - top, column - left
        value = between[n, band, c // wide, (y - first(band)) * width + x, c % wide]
        return tirx.if_then_else(tirx.all(y >= 0, y < height, x >= 0, x < width), value, zero)

    pad = te.compute((batch, bands, *reads, shape[3]), padded, name="pad")
    axes = [te.reduce_axis((0, n), f"r{i}") for i, n in enumerate(taps)]

    def total(n: Expr, band: Expr, h: Expr, w: Expr, c: Expr) -> Expr:
        _, row, column = window.read((n, h, w), axes)
        return te.sum(pad[n, band, row, column, c] * kernel(*axes, c), axis=axes)

    sums = te.compute((batch, bands, size, columns, shape[3]), total, name="pointwise_depthwise")
    return te.compute(
        tuple(shape), lambda n, h, w, c: sums[n, h // size, h % size, w, c], name="store"
    )


def _between(
    data: te.Tensor,
    weight: te.Tensor,
    parameters: Sequence[te.Tensor],
    shape: Sequence[int],
    taps: int,
    window: Window,
    banding: Banding,
    epilogue: Formula,
    steps: int,
) -> tuple[te.Tensor, Callable[[Expr], Expr | int]]:
    """Return the pieces of the map between both, and the first row of it that a band has."""
    batch, height, width, _ = (int(n) for n in data.shape)
    inner = int(weight.shape[1])
    size, wide, tile = banding.rows, banding.channels, banding.pointwise
    bands, blocks = -(-shape[1] // size), -(-shape[3] // wide)
    top = window.padding[0]
    rows = min(height, band_rows(size, taps, window))
    # Whole tiles are computed: pixels past the end repeat the last one, and are not read.
    pixels = -(-rows * width // tile.pixels) * tile.pixels

    def first(band: Expr) -> Expr | int:
        """Return the first row of a band; those at the borders have as many as any other."""
        if bands == 1:
            return 0
        return tirx.max(tirx.min(band * size * window.strides[0] - top, height - rows), 0)

    reduced = te.reduce_axis((0, inner), "k")

    def value(n: Expr, band: Expr, pixel: Expr, channel: Expr) -> Expr:
        at = first(band) * width + pixel
        if pixels > rows * width:
            at = tirx.min(at, height * width - 1)
        return data[n, at // width, at % width, channel]

    values = value
    if steps > 1:
        values = te.compute((batch, bands, pixels, inner), value, name="values")

    def product(n: Expr, band: Expr, block: Expr, pixel: Expr, channel: Expr) -> Expr:
        channel = block * wide + channel
        packed = weight[channel // tile.channels, reduced, channel % tile.channels]
        return te.sum(values(n, band, pixel, reduced) * packed, axis=reduced)

    cut = (batch, bands, blocks, pixels, wide)
    sums = te.compute(cut, product, name="pointwise")
    between = te.compute(
        cut,
        lambda n, band, block, pixel, channel: epilogue(
            sums(n, band, block, pixel, channel),
            *(values(block * wide + channel) for values in parameters),
        ),
        name="between",
    )
    return between, first
