"""Convolutions as the product of two matrices: of what each pixel reads, and of the weights."""

from __future__ import annotations

import math

from tvm import te, tirx
from tvm.ir import Expr

from .convolution import product
from .gathering import Gathering

LANES = 4
"""Elements of a row that a copy of a vector brings."""


def matrix_product(
    data: te.Tensor,
    weight: te.Tensor,
    *more: te.Tensor,
    gathering: Gathering,
    rows: int,
    sums: str = "",
) -> te.Tensor:
    """Return a convolution, or a product with a matrix, as an implicit GEMM.

    The block ``panel`` gathers what a pixel reads into one row of a matrix, which is to be
    computed where it is read. It is the matrix that Chellapilla et al., High Performance
    Convolutional Neural Networks for Document Processing (2006), write to memory.

    Parameters
    ----------
    data, *more : te.Tensor
        As `Gathering.of` takes them.
    weight : te.Tensor
        Shape (blocks, parts, steps of a part, channels of a block), those of a block being of one
        group. Parts of the reduction are summed up apart and then added. Where there are more
        steps than are gathered, to fill up chunks, data of those are zeros.
    gathering : Gathering
    rows : int
        Of a tile: whole ones are computed, and what is past the end is not stored.
    sums : str
        The type that products are added up in, where it is not that of the data.

    Returns
    -------
    te.Tensor
    """
    _, parts, own_steps, _ = (int(n) for n in weight.shape)
    steps, groups = gathering.steps, gathering.groups
    computed = -(-gathering.rows // rows) * rows
    element = gathering.of(data, more, rows)
    # Whole vectors are inside, or none of their elements.
    unit = math.gcd(steps, LANES)

    def filled_up(group: Expr, part: Expr, row: Expr, own_step: Expr) -> Expr:
        step = part * own_steps + own_step
        own = element(group, row, step)
        if steps == parts * own_steps:
            return own
        return tirx.if_then_else(step // unit < steps // unit, own, tirx.const(0, own.ty.dtype))

    panel = te.compute((groups, parts, computed, own_steps), filled_up, name="panel")
    return gathering.stored(multiplied(panel, weight, sums))


def multiplied(panel: te.Tensor, weight: te.Tensor, sums: str = "") -> te.Tensor:
    """Return the product of panels of data with weights, whole tiles of it.

    It is the block ``product``, or, where the reduction is cut into parts, ``parts``, which adds up
    those of ``product``.

    Parameters
    ----------
    panel : te.Tensor
        Shape (groups, parts, rows, steps of a part).
    weight, sums
        As of `matrix_product`.

    Returns
    -------
    te.Tensor
        Shape (rows, channels).
    """
    groups, _, computed, _ = (int(n) for n in panel.shape)
    blocks, parts, own_steps, wide = (int(n) for n in weight.shape)
    own = blocks * wide // groups

    def term(part: Expr | int, row: Expr, channel: Expr, step: Expr) -> Expr:
        own_weight = weight(channel // wide, part, step, channel % wide)
        return product(panel(channel // own, part, row, step), own_weight, sums=sums)

    step = te.reduce_axis((0, own_steps), "k")
    size = (computed, blocks * wide)
    if parts == 1:
        return te.compute(size, lambda m, n: te.sum(term(0, m, n, step), axis=step), name="product")
    part = te.reduce_axis((0, parts), "p")
    partial = te.compute(
        (parts, *size), lambda p, m, n: te.sum(term(p, m, n, step), axis=step), name="product"
    )
    return te.compute(size, lambda m, n: te.sum(partial(part, m, n), axis=part), name="parts")
