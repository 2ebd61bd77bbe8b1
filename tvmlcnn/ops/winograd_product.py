"""Winograd's minimal filtering as one product of matrices for each of its points."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import te
from tvm.ir import Expr

from .formula import Formula
from .winograd import transformed_input, transformed_output
from .winograd_transforms import filtering_of

OUTPUTS = 2
"""Of a tile along each side: F(2x2, 3x3), whose products one block of a GPU's threads can keep."""


def winograd_product(
    data: te.Tensor,
    weight: te.Tensor,
    *parameters: te.Tensor,
    shape: Sequence[int],
    padding: Sequence[int],
    rows: int,
    first: int = 0,
    prologue: Formula | None = None,
) -> te.Tensor:
    """Return the 3x3 convolution of NHWC data.

    The block ``product`` sums up what ``panel`` and the weights have at each point, as that of
    `matrix_product` does for each part of a reduction, and ``output`` makes outputs of all points.

    Parameters
    ----------
    data : te.Tensor
        Shape (planes * N, H, W, C).
    weight : te.Tensor
        Shape (blocks, points, inner, channels of a block).
    *parameters : te.Tensor
        What the prologue takes.
    shape : sequence of int
        Of the result.
    padding : sequence of int
        Top, left, bottom, right.
    rows : int
        Tiles of a map that a block of threads computes.
    first, prologue
        As of `winograd`.
    """
    way = filtering_of(OUTPUTS, 1)
    points = way.points
    blocks, _, inner, wide = (int(n) for n in weight.shape)
    spectrum = transformed_input(
        data,
        *parameters,
        dtype=data.dtype,
        shape=shape,
        inner=inner,
        padding=padding,
        block=rows,
        way=way,
        first=first,
        prologue=prologue,
        by_image=True,
    )
    computed = int(spectrum.shape[2])
    panel = te.compute(
        (1, points * points, computed, inner),
        lambda _, point, t, c: spectrum(point // points, point % points, t, c),
        name="panel",
    )
    step = te.reduce_axis((0, inner), "k")

    def summed(point: Expr, t: Expr, k: Expr) -> Expr:
        return te.sum(panel(0, point, t, step) * weight(k // wide, point, step, k % wide), step)

    product = te.compute((points * points, computed, blocks * wide), summed, name="product")
    return transformed_output(
        lambda t, i, j, k: product(i * points + j, t, k), computed, shape, way, by_image=True
    )
