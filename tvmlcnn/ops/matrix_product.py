"""Convolutions as the product of two matrices: of what each pixel reads, and of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import te, tirx
from tvm.ir import Expr

from .convolution import Window, product
from .formula import Formula
from .prologue import prepared
from .reduction import unraveled

LANES = 4
"""Elements of a row that a copy of a vector brings."""


def matrix_product(
    data: te.Tensor,
    weight: te.Tensor,
    *more: te.Tensor,
    shape: Sequence[int],
    window: Window,
    kernel: Sequence[int],
    rows: int,
    parts: int = 1,
    planes: int = 1,
    table: bool = False,
    jumps: Sequence[tuple[int, int]] = (),
    steps: int = 0,
    channels_first: bool = False,
    prologue: Formula | None = None,
    groups: int = 1,
    sums: str = "",
) -> te.Tensor:
    """Return a convolution, or a product with a matrix, as an implicit GEMM.

    The block ``panel`` gathers what a pixel reads into one row of a matrix, which is to be
    computed where it is read. It is the matrix that Chellapilla et al., High Performance
    Convolutional Neural Networks for Document Processing (2006), write to memory.

    Parameters
    ----------
    data : te.Tensor
        Shape (planes * N, H, W, C), (N, C, H, W) with ``channels_first``, or (..., K) for a
        product.
    weight : te.Tensor
        Shape (blocks, steps, channels of a block), the steps of the reduction being taps, planes
        and channels, the innermost last.
    *more : te.Tensor
        With ``table`` where the channels that are read lie, as `tvmlcnn.ops.dense` takes it; then
        the tensors that the prologue takes.
    shape : sequence of int
        Of the result: (N, H', W', channels) or (..., channels).
    window : Window
    kernel : sequence of int
        (rows, columns) of the window; (1, 1) for a product.
    rows : int
        Of a tile: whole ones are computed, and what is past the end is not stored.
    parts : int
        Of the reduction, which are summed up apart and then added; a divisor of the steps.
    planes : int
        That are read, from the first on.
    table : bool
    jumps : sequence of (int, int)
        Instead of a table: from which channel on those that are read lie how much further than
        where they would be if they followed the ones before.
    steps : int
        Of the reduction, where the weights have some more to fill up chunks: data of those are
        zeros.
    channels_first : bool
    prologue : Formula, optional
        See `tvmlcnn.ops.prologue`.
    groups : int
        Of channels: those of a block of weights are of one group.
    sums : str
        The type that products are added up in, where it is not that of the data.

    Returns
    -------
    te.Tensor
    """
    blocks, filled, wide = (int(n) for n in weight.shape)
    steps = steps or filled
    *pixels, channels = (int(n) for n in shape)
    computed = -(-math.prod(pixels) // rows) * rows
    element = gathered(
        data,
        more,
        shape,
        window,
        kernel,
        steps,
        rows,
        planes,
        table,
        channels_first,
        prologue,
        groups,
        jumps=jumps,
    )
    # Whole vectors are inside, or none of their elements.
    unit = math.gcd(steps, LANES)

    def filled_up(group: Expr, row: Expr, step: Expr) -> Expr:
        own = element(group, row, step)
        if steps == filled:
            return own
        return tirx.if_then_else(step // unit < steps // unit, own, tirx.const(0, own.ty.dtype))

    panel = te.compute((groups, computed, filled), filled_up, name="panel")
    own = blocks * wide // groups

    def term(row: Expr, channel: Expr, step: Expr) -> Expr:
        own_weight = weight(channel // wide, step, channel % wide)
        return product(panel(channel // own, row, step), own_weight, sums=sums)

    step = te.reduce_axis((0, filled // parts), "k")
    size = (computed, blocks * wide)
    if parts == 1:
        total = te.compute(size, lambda m, n: te.sum(term(m, n, step), axis=step), name="product")
    else:
        part = te.reduce_axis((0, parts), "p")
        partial = te.compute(
            (parts, *size),
            lambda p, m, n: te.sum(term(m, n, p * (filled // parts) + step), axis=step),
            name="product",
        )
        total = te.compute(size, lambda m, n: te.sum(partial(part, m, n), axis=part), name="parts")

    def stored(*place: Expr) -> Expr:
        row, *others = place[:-1]
        for index, extent in zip(others, pixels[1:], strict=True):
            row = row * extent + index
        return total(row, place[-1])

    return te.compute((*pixels, channels), stored, name="store")


def gathered(
    data: te.Tensor,
    more: Sequence[te.Tensor],
    shape: Sequence[int],
    window: Window,
    kernel: Sequence[int],
    steps: int,
    rows: int,
    planes: int,
    table: bool,
    channels_first: bool,
    prologue: Formula | None,
    groups: int,
    load: int = 1,
    jumps: Sequence[tuple[int, int]] = (),
) -> Callable[[Expr, Expr, Expr], Expr]:
    """Return a function of a group, a row and a step: what the row of the group's matrix has there.

    Rows past the end, of which there are some where ``rows`` does not divide them, are the last
    one.

    Parameters
    ----------
    data, more, shape, window, kernel, rows, planes, table, channels_first, prologue, groups, jumps
        As of `matrix_product`.
    steps : int
        Of the reduction.
    load : int
        Steps that lie together and are loaded together: a divisor of the channels of a tap. Said
        so TVM sees that they have their tap in common.
    """
    places, parameters = (more[0], more[1:]) if table else (None, more)
    *pixels, _ = (int(n) for n in shape)
    count = math.prod(pixels)
    inner = steps // (math.prod(kernel) * planes)
    source = data
    if prologue is not None and any(window.padding):
        # What lies around the maps is zero after the prologue.
        source = te.compute(
            data.shape, lambda *place: prepared(data, prologue, parameters, place), name="prologue"
        )
    padded = window.padded(source, channels_first)

    def element(group: Expr, row: Expr, step: Expr) -> Expr:
        """Return what a row of a group reads at a step of the reduction."""
        row = row if count % rows == 0 else tirx.min(row, count - 1)
        # Past the last step of a segment nothing is read.
        alone = steps == inner and places is None
        first = step // load
        channel = step if alone else first % (inner // load) * load + step % load
        if len(data.shape) != 4:
            return value(*unraveled(row, pixels), channel)
        plane = first // (inner // load) % planes
        tap = first // (inner // load * planes)
        at = [tap // kernel[1], tap % kernel[1]]
        pixel = [row // (pixels[1] * pixels[2]), row // pixels[2] % pixels[1], row % pixels[2]]
        batch, *place = window.read(pixel, at)
        if groups > 1:
            channel = group * inner + channel
        if places is not None:
            # Counting on past the pixel's own channels, one addition finds every channel of it.
            channel = places[channel]
        moved = (tirx.Select(channel >= first, further, 0) for first, further in jumps)
        channel = sum(moved, channel)
        if channels_first:
            return value(batch, channel, *place)
        return value(plane * pixels[0] + batch if planes > 1 else batch, *place, channel)

    def value(*place: Expr) -> Expr:
        if padded is data:
            return prepared(data, prologue, parameters, place)
        return padded(*place)

    return element
