"""Products of matrices as tensor cores take them: by segments of rows and of columns."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import te, tirx
from tvm.ir import Expr

from .convolution import product
from .gathering import Gathering

LANE, MULTIPLY, DOT = "tvmlcnn_lane", "tvmlcnn_mma_{element}", "tvmlcnn_dot_{element}"
TAPS = "tvmlcnn_taps_{rows}x{columns}"
"""Functions of CUDA C++ that schedules call for instructions, and files bring."""


def tensor_product(
    data: te.Tensor,
    weight: te.Tensor,
    *more: te.Tensor,
    gathering: Gathering,
    rows: int,
    together: int,
    parts: int = 1,
    sums: str = "",
) -> te.Tensor:
    """Return what `matrix_product` does, whose panel has segments of several steps each.

    A row of a segment, and a column of it, lie together in memory. Past the last step there is
    what lies around the maps, for which weights are zeros.

    Parameters
    ----------
    data, *more, rows, parts, sums
        As of `matrix_product`.
    weight : te.Tensor
        Shape (blocks, segments, vectors, channels of a vector, steps of a segment).
    gathering : Gathering
        Of no more steps than all segments have, and more than all but one have.
    together : int
        Rows that a lane has, a divisor of those of a tile.

    Returns
    -------
    te.Tensor
    """
    blocks, segments, vectors, wide, length = (int(n) for n in weight.shape)
    steps, load, groups = gathering.steps, gathering.load, gathering.groups
    computed = -(-gathering.rows // rows) * rows
    element = gathering.of(data, more, rows)

    def placed(group: Expr, segment: Expr, outer: Expr, row: Expr, lane: Expr) -> Expr:
        step = segment * length + lane
        value = element(group, outer * together + row, step)
        if segments * length == steps:
            return value
        around = tirx.const(gathering.zero, value.ty.dtype)
        return tirx.if_then_else(step // load < steps // load, value, around)

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

    return gathering.stored(total)
