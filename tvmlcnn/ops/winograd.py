"""Winograd's minimal filtering for 3x3 convolutions of NHWC data, of numbers or of codes.

A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015: F(m x m, 3 x 3)
computes m x m outputs from (m + 2) x (m + 2) inputs with as many multiplications, here with steps
of two as well. Channels are summed between the transforms, which makes as many products of matrices
(tiles x channels).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tvm
from tvm import te, tirx

from tvmlcnn.wrapping_arithmetic import total, widened_product

from .filtering import Filtering, Transform
from .formula import Formula
from .planes import in_plane
from .prologue import prepared
from .tile import Tile
from .values import chosen
from .widening import as_type
from .winograd_transforms import divided, filtering_of


@dataclass(frozen=True)
class Blocking:
    """How a map is cut.

    Attributes
    ----------
    outputs : int
        Outputs of a tile of the map along each side: 2, 4, or of numbers with steps of one 5.
    registers : Tile
        Of the products of matrices; their rows are tiles of the map.
    block : int
        Tiles of the map that go through all steps together.
    """

    outputs: int
    registers: Tile
    block: int


def winograd(
    data: te.Tensor,
    weight: te.Tensor,
    *parameters: te.Tensor,
    shape: Sequence[int],
    inner: int,
    padding: Sequence[int],
    blocking: Blocking,
    stride: int = 1,
    first: int = 0,
    prologue: Formula | None = None,
    steps: int = 1,
    zero: int = 0,
) -> te.Tensor:
    """Return the 3x3 convolution of NHWC data.

    Parameters
    ----------
    data : te.Tensor
        Shape (planes * N, H, W, C).
    weight : te.Tensor
        From `transform_weights`, then `pack` for the registers.
    *parameters : te.Tensor
        What the prologue takes.
    shape : sequence of int
        Of the result.
    inner : int
        Channels that are read.
    padding : sequence of int
        Top, left, bottom, right.
    blocking : Blocking
    stride : int
        1 or 2.
    first : int
        The first of the channels that are read, counted through the planes.
    prologue : Formula, optional
    steps : int
        As of `dense`.
    zero : int
        Of codes: the one around the maps. Their sums are of int32.
    """
    blocks, kernels, _, _, wide = (int(n) for n in weight.shape)
    way = filtering_of(blocking.outputs, stride)
    points = way.points
    spectrum = transformed_input(
        data,
        *parameters,
        dtype=weight.dtype,
        shape=shape,
        inner=inner,
        padding=padding,
        block=blocking.block,
        way=way,
        first=first,
        prologue=prologue,
        zero=zero,
    )
    computed = int(spectrum.shape[2])
    rc = te.reduce_axis((0, inner), "rc")
    values = spectrum
    if steps > 1:
        values = te.compute(spectrum.shape, lambda *place: spectrum(*place), name="values")
    codes = data.dtype != weight.dtype

    def kernel_of(point: tirx.Var) -> tvm.ir.Expr:
        return point if kernels == points else tirx.min(point, kernels - 1)

    def summed(t: tirx.Var, i: tirx.Var, j: tirx.Var, k: tirx.Var) -> tvm.ir.Expr:
        kernel = weight[k // wide, kernel_of(i), kernel_of(j), rc, k % wide]
        factors = values[i, j, t, rc], kernel
        if codes:
            return total(widened_product(*factors), axis=rc)
        return te.sum(factors[0] * factors[1], axis=rc)

    product = te.compute((computed, points, points, blocks * wide), summed, name="winograd")
    return transformed_output(product, computed, shape, way)


def transformed_input(
    data: te.Tensor,
    *parameters: te.Tensor,
    dtype: str,
    shape: Sequence[int],
    inner: int,
    padding: Sequence[int],
    block: int,
    way: Filtering,
    first: int = 0,
    prologue: Formula | None = None,
    zero: int = 0,
    by_image: bool = False,
) -> te.Tensor:
    """Return what is multiplied at each point, shape (points, points, tiles, inner).

    Parameters
    ----------
    data, *parameters, shape, inner, padding, first, prologue, zero
        As of `winograd`.
    dtype : str
        Of the result.
    block : int
        Tiles that go through all steps together.
    way : Filtering
    by_image : bool
        Whether those are one image's, each of which then has whole blocks.
    """
    batch, out_height, out_width, _ = shape
    _, height, width, wide_data = (int(n) for n in data.shape)
    outputs, points, stride = way.outputs, way.points, way.stride
    top, left, _, _ = padding
    down, across = -(-out_height // outputs), -(-out_width // outputs)
    images, count = (batch, down * across) if by_image else (1, batch * down * across)
    computed = -(-count // block) * block

    def inside(y: tvm.ir.Expr, x: tvm.ir.Expr) -> tvm.ir.Expr:
        return tirx.all(y >= 0, y < height, x >= 0, x < width)

    def patch(t: tirx.Var, p: tirx.Var, q: tirx.Var, c: tirx.Var) -> tvm.ir.Expr:
        # Whole blocks are computed: tiles past the end repeat the last one, and are not stored.
        image, t = (t // computed, t % computed) if images > 1 else (0, t)
        t = t if computed == count else tirx.min(t, count - 1)
        n, y, x = image + t // (down * across), t // across % down, t % across
        y, x = (y * outputs) * stride + p - top, (x * outputs) * stride + q - left
        plane, c = in_plane(first, c, inner, wide_data)
        value = prepared(data, prologue, parameters, (plane * batch + n, y, x, c))
        return tirx.if_then_else(inside(y, x), as_type(value, dtype), tirx.const(zero, dtype))

    all_tiles = images * computed
    patches = te.compute((all_tiles, points, points, inner), patch, name="patch")
    rows = te.compute(
        (all_tiles, points, points, inner),
        lambda t, i, q, c: _along(way.input, points, lambda p: patches(t, p, q, c), i),
        name="input_rows",
    )
    return te.compute(
        (points, points, all_tiles, inner),
        lambda i, j, t, c: _along(way.input, points, lambda q: rows(t, i, q, c), j),
        name="input",
    )


def transformed_output(
    product: Callable[..., tvm.ir.Expr],
    computed: int,
    shape: Sequence[int],
    way: Filtering,
    by_image: bool = False,
) -> te.Tensor:
    """Return the convolution.

    Parameters
    ----------
    product : callable
        Returns the sum of a tile, at a point (two indices), of a channel.
    computed : int
        Tiles.
    shape : sequence of int
    way : Filtering
    by_image : bool
        As of `transformed_input`.
    """
    batch, out_height, out_width, channels = shape
    outputs, points = way.outputs, way.points
    down, across = -(-out_height // outputs), -(-out_width // outputs)
    of_image = computed // batch if by_image else down * across
    # Every second row of an even number: what is made of the same terms is together, sums or
    # differences.
    apart = 1 if outputs % 2 else outputs // 2
    together = outputs // apart

    def rows_of_outputs(
        t: tirx.Var, odd: tirx.Var, y: tirx.Var, j: tirx.Var, k: tirx.Var
    ) -> tvm.ir.Expr:
        return _along(way.output, points, lambda i: product(t, i, j, k), y * apart + odd)

    output_rows = te.compute(
        (computed, apart, together, points, channels), rows_of_outputs, name="output_rows"
    )
    result = te.compute(
        (computed, apart, together, outputs, channels),
        lambda t, odd, y, x, k: divided(
            _along(way.output, points, lambda j: output_rows(t, odd, y, j, k), x), way
        ),
        name="output",
    )
    return te.compute(
        (batch, out_height, out_width, channels),
        lambda n, h, w, k: result[
            n * of_image + h // outputs * across + w // outputs,
            h % apart,
            h % outputs // apart,
            w % outputs,
            k,
        ],
        name="store",
    )


def _along(
    transform: Transform, points: int, read: Callable[[int], tvm.ir.Expr], at: tirx.Var
) -> tvm.ir.Expr:
    return chosen(transform([read(k) for k in range(points)]), at)
