"""Products of matrices as tensor cores take them: by segments of rows and of columns."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvm import te, tirx
from tvm.ir import Expr

from .convolution import Window, product
from .formula import Formula
from .matrix_product import gathered


def tensor_product(
    data: te.Tensor,
    weight: te.Tensor,
    *more: te.Tensor,
    shape: Sequence[int],
    window: Window,
    kernel: Sequence[int],
    steps: int,
    rows: int,
    together: int,
    parts: int = 1,
    planes: int = 1,
    table: bool = False,
    channels_first: bool = False,
    prologue: Formula | None = None,
    groups: int = 1,
    sums: str = "",
    load: int = 1,
) -> te.Tensor:
    """Return what `matrix_product` does, whose panel has segments of several steps each.

    A row of a segment, and a column of it, lie together in memory. Past the last step there are
    zeros.

    Parameters
    ----------
    data, *more, shape, window, kernel, rows, parts, planes, table, channels_first, prologue, \
groups, sums
        As of `matrix_product`.
    weight : te.Tensor
        Shape (blocks, segments, vectors, channels of a vector, steps of a segment).
    together : int
        Rows that a lane has, a divisor of those of a tile.
    load : int
        As of `gathered`.
    steps : int
        Of the reduction: no more than all segments have, and more than all but one have.

    Returns
    -------
    te.Tensor
    """
    blocks, segments, vectors, wide, length = (int(n) for n in weight.shape)
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
        load,
    )

    def placed(group: Expr, segment: Expr, outer: Expr, row: Expr, lane: Expr) -> Expr:
        step = segment * length + lane
        value = element(group, outer * together + row, step)
        if segments * length == steps:
            return value
        return tirx.if_then_else(step // load < steps // load, value, tirx.const(0, value.ty.dtype))

    panel = te.compute(
        (groups, segments, computed // together, together, length), placed, name="panel"
    )
    own = blocks * vectors // groups

    def term(place: Sequence[Expr], segment: Expr, lane: Expr) -> Expr:
        outer, row, vector, channel = place
        value = panel(vector // own, segment, outer, row, lane)
        own_weight = weight(vector // vectors, segment, vector % vectors, channel, lane)
        return product(value, own_weight, sums=sums)

    axes = [te.reduce_axis((0, n), name) for n, name in ((segments // parts, "s"), (length, "k"))]
    size = (computed // together, together, blocks * vectors, wide)

    def split(row: Expr, channel: Expr) -> tuple[Expr, ...]:
        return row // together, row % together, channel // wide, channel % wide

    if parts == 1:
        made = te.compute(
            size, lambda *place: te.sum(term(place, *axes), axis=axes), name="product"
        )

        def total(row: Expr, channel: Expr) -> Expr:
            return made(*split(row, channel))
    else:
        part = te.reduce_axis((0, parts), "p")
        first = segments // parts
        partial = te.compute(
            (parts, *size),
            lambda p, *place: te.sum(term(place, p * first + axes[0], axes[1]), axis=axes),
            name="product",
        )
        total = te.compute(
            (computed, blocks * vectors * wide),
            lambda row, channel: te.sum(partial(part, *split(row, channel)), axis=part),
            name="parts",
        )

    def stored(*place: Expr) -> Expr:
        row, *others = place[:-1]
        for index, extent in zip(others, pixels[1:], strict=True):
            row = row * extent + index
        return total(row, place[-1])

    return te.compute((*pixels, channels), stored, name="store")
