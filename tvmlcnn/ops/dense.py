"""Dense convolutions and matrix products over channels-last data, with packed weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import te, tirx
from tvm.ir import Expr

from .chunks import chunk_of, summed
from .convolution import Window, product
from .formula import Formula
from .packing import place_of_pairs
from .prologue import prepared
from .reduction import raveled, unraveled
from .tile import Tile
from .widening import as_type


def dense(
    data: te.Tensor,
    weight: te.Tensor,
    *more: te.Tensor,
    shape: Sequence[int],
    window: Window,
    tile: Tile,
    planes: int = 1,
    table: bool = False,
    channels_first: bool = False,
    prologue: Formula | None = None,
    products: int = 1,
    paired: int = 0,
    steps: int = 1,
    along: int = 0,
    zero: int = 0,
    groups: int = 1,
    widened: str = "",
    longest: int = 0,
    sums: str = "",
) -> te.Tensor:
    """Return a convolution, or a product with a matrix, with weights from `pack`.

    Of codes it is summed in int32.

    The pixels of all maps are the rows of one matrix, cut into tiles without regard to where a
    row of a map ends: no width is odd.

    Parameters
    ----------
    data : te.Tensor
        Shape (planes of the data * N, H, W, C), or (..., K) for a product with a matrix.
    weight : te.Tensor
        Shape (blocks, rows, columns, K, channels of the tile), or with ``along`` (blocks, rows,
        channels, columns, channels of the tile); without rows and columns for a
        pointwise convolution or a matrix. Where several planes are read, they come before K, and
        K is the width of one.
    *more : te.Tensor
        With ``table`` where the channels that are read lie, int64 of shape (K / steps,): how many
        elements after the first channel of the same pixel those of a load begin; then the tensors
        that the prologue takes.
    shape : sequence of int
        Of the result: (N, H', W', channels) or (..., channels).
    window : Window
    tile : Tile
    planes : int
        Planes that are read, from the first on.
    table : bool
        Whether ``more`` begins with the places of the channels; else the first K are read.
    channels_first : bool
        Whether the data have the shape (N, C, H, W), as a network's few input channels do.
    prologue : Formula, optional
        See `tvmlcnn.ops.prologue`.
    products, paired
        As `pack` was told.
    steps : int
        Steps of the reduction whose values of a row are one load: with several, or where products
        are paired, there is a stage called ``values``, for the schedule to have them in registers.
    along : int
        Values that are read of a row of taps, ``steps`` of which are multiplied, where K is the
        taps of a row and comes after the channels; else 0. The data have as many, with the padding.
    zero : int
        What lies around the maps.
    widened : str
        The type that data are brought to before they are multiplied, if any.
    groups : int
        Of channels: those of a tile are of one group, which reads K channels of its own.
    longest : int
        Steps of the reduction that are summed up in the type of the data before they are added to
        a sum of float32; 0 for all.
    sums : str
        The type that products are added up in, where it is not that of the data.
    """
    places, parameters = (more[0], more[1:]) if table else (None, more)
    blocks, *kernel = (int(n) for n in weight.shape)
    if paired:
        *kernel, _, _, _, _, _ = kernel
        wide, kernel = tile.channels, [*kernel, products]
    else:
        wide = kernel.pop(-2 if products > 1 else -1)
    chunk = chunk_of(kernel, longest)
    taps = len(kernel) - (1 if products == 1 else 2) - (planes > 1)
    *pixels, channels = shape
    rows = math.prod(pixels)
    # Whole tiles are computed: rows past the end repeat the last one, and are not stored.
    computed = -(-rows // tile.pixels) * tile.pixels

    is_made = prologue is not None or bool(widened)

    def ready(*place: Expr) -> Expr:
        value = prepared(data, prologue, parameters, place)
        return value.astype(widened) if widened else value

    def read(source: Callable[..., Expr], row: Expr, *inner: Expr) -> Expr:
        """Return the element of a row of the matrix that the reduction is at."""
        *at, channel = inner
        if along:
            at[-1], channel = channel, at[-1]
        row = row if computed == rows else tirx.min(row, rows - 1)
        if len(data.shape) != 4:
            return source(*unraveled(row, pixels), channel)
        pixel = [row // (pixels[1] * pixels[2]), row // pixels[2] % pixels[1], row % pixels[2]]
        where = at.pop() if planes > 1 else 0
        if places is not None:
            # Counting on past the pixel's own channels, one addition finds every channel of it.
            channel = places[channel // steps] + channel % steps if steps > 1 else places[channel]
        batch, *place = window.read(pixel, at or [0, 0])
        if channels_first:
            return source(batch, channel, *place)
        return source(where * pixels[0] + batch, *place, channel)

    # A table counts past the pixel's own channels, where a prologue's parameters have no more.
    if any(window.padding) or taps or channels_first or (table and is_made):
        source = data
        if is_made:
            source = te.compute(data.shape, ready, name="prologue")
        padded = window.padded(source, channels_first, zero)

        def element(row: Expr, *inner: Expr) -> Expr:
            return read(padded, row, *inner)
    elif is_made:
        # Its work is done once for all blocks of channels, a few tiles of pixels at a time.
        *outer, inner = kernel if products == 1 else [*kernel[:-2], kernel[-2] * products]
        element = te.compute(
            (computed, *outer, inner * groups),
            lambda row, *inner: read(ready, row, *inner),
            name="panel",
        )
    else:

        def element(row: Expr, *inner: Expr) -> Expr:
            return read(data, row, *inner)

    values: Callable[..., Expr] = element
    if steps > 1 or paired:
        *outer, inner = kernel if products == 1 else [*kernel[:-2], kernel[-2] * products]
        # What an intrinsic reads of several rows are the last axes.
        stage = te.compute(
            (*outer, computed, along or inner * groups),
            lambda *place: element(place[-2], *place[:-2], place[-1]),
            name="values",
        )

        def values(row: Expr, *inner: Expr) -> Expr:
            return stage(*inner[:-1], row, inner[-1])

    def place_of(lane: Expr, one: Expr) -> tuple[Expr, ...]:
        """Return where the weight of a lane for one of several products is."""
        if not paired:
            return lane, one
        return place_of_pairs(lane, one, products, tile.lanes, paired)

    def term(m: Expr, c: Expr, at: Sequence[Expr]) -> Expr:
        block, lane = c // wide, c % wide
        if products == 1:
            *before, inner = at
            own = weight(block, *at, lane)
        else:
            *before, pair, one = at
            inner, own = pair * products + one, weight(block, *before, pair, *place_of(lane, one))
        return product(values(m, *before, inner + start_of(c)), own, sums=sums)

    def start_of(channel: Expr) -> Expr | int:
        """Return the first channel that the sum for a channel of the result reads."""
        if groups == 1:
            return 0
        inner = math.prod(kernel[taps:])
        return channel // (int(channels) // groups) * inner

    found = summed((computed, blocks * wide), kernel, term, chunk)

    def stored(*place: tirx.Var) -> Expr:
        total = found(raveled(place[:-1], pixels), place[-1])
        return total if chunk is None else as_type(total, data.dtype)

    return te.compute((*pixels, channels), stored, name="store")
