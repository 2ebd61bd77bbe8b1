"""Winograd's minimal filtering for 3x3 convolutions of NHWC data.

A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015: F(m x m, 3 x 3)
computes m x m outputs from (m + 2) x (m + 2) inputs with as many multiplications. Channels are
summed between the transforms, which makes (m + 2)^2 products of matrices (tiles x channels).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import te, tirx

from .formula import Formula
from .prologue import prepared
from .tile import Tile

Values = list[tvm.ir.Expr]


@dataclass(frozen=True)
class Blocking:
    """How a map is cut.

    Attributes
    ----------
    outputs : int
        Outputs of a tile of the map along each side: 2 or 4.
    registers : Tile
        Of the products of matrices; their rows are tiles of the map.
    block : int
        Tiles of the map that go through all steps together.
    """

    outputs: int
    registers: Tile
    block: int


# G of section 4.1 (F(2x2, 3x3)) and 4.3 (F(4x4, 3x3)); rows are the points of the transform, here
# in an order in which two neighbours are made of the same terms.
_WEIGHTS = {
    2: np.array([[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]]),
    4: np.array(
        [
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [1 / 4, 0, 0],
            [0, 0, 1],
        ]
    ),
}


def transform_weights(weight: np.ndarray, outputs: int) -> np.ndarray:
    """Return ``G g G^T`` of each kernel.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (3, 3, C, K), HWIO.
    outputs : int
        Outputs of a tile along each side: 2 or 4.

    Returns
    -------
    numpy.ndarray
        Shape (outputs + 2, outputs + 2, C, K).
    """
    matrix = _WEIGHTS[outputs]
    result = np.einsum("iy,jx,yxck->ijck", matrix, matrix, weight.astype("float64"), optimize=True)
    return result.astype(weight.dtype)


def _times(number: float, value: tvm.ir.Expr) -> tvm.ir.Expr:
    return tirx.const(number, value.ty.dtype) * value


def _input_transform(d: Values) -> Values:
    """Return ``B^T d``; the transforms share their terms, for the code generator to find."""
    if len(d) == 4:
        return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]
    even, odd = d[4] - _times(4.0, d[2]), d[3] - _times(4.0, d[1])
    near, far = d[4] - d[2], d[3] - d[1]
    return [
        even + odd,
        even - odd,
        near + _times(2.0, far),
        near - _times(2.0, far),
        near + _times(4.0, (d[0] - d[2])),
        (d[5] - d[3]) - _times(4.0, far),
    ]


def _output_transform(m: Values) -> Values:
    """Return ``A^T m``."""
    if len(m) == 4:
        return [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]
    sum1, difference1, sum2, difference2 = m[0] + m[1], m[0] - m[1], m[2] + m[3], m[2] - m[3]
    return [
        m[4] + sum1 + sum2,
        difference1 + _times(2.0, difference2),
        sum1 + _times(4.0, sum2),
        difference1 + _times(8.0, difference2) + m[5],
    ]


def _chosen(values: Values, index: tvm.ir.Expr) -> tvm.ir.Expr:
    """Return the value of an index that unrolling makes a constant."""
    result = values[-1]
    for number in reversed(range(len(values) - 1)):
        result = tirx.if_then_else(index == number, values[number], result)
    return result


def _located(
    first: int, channel: tirx.Var, count: int, wide: int
) -> tuple[int | tvm.ir.Expr, tvm.ir.Expr]:
    """Return plane and position of one of ``count`` channels after the ``first`` one."""
    plane, start = divmod(first, wide)
    if start + count <= wide:
        return plane, channel + start
    return (channel + first) // wide, (channel + first) % wide


def winograd(
    data: te.Tensor,
    weight: te.Tensor,
    *parameters: te.Tensor,
    shape: Sequence[int],
    inner: int,
    padding: Sequence[int],
    blocking: Blocking,
    first: int = 0,
    prologue: Formula | None = None,
    steps: int = 1,
) -> te.Tensor:
    """Return the 3x3 convolution, with steps of one, of NHWC data.

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
    first : int
        The first of the channels that are read, counted through the planes.
    prologue : Formula, optional
    steps : int
        As of `dense`.
    """
    batch, out_height, out_width, channels = shape
    _, height, width, wide_data = (int(n) for n in data.shape)
    blocks, points, _, _, wide = (int(n) for n in weight.shape)
    outputs, block = blocking.outputs, blocking.block
    top, left, _, _ = padding
    down, across = -(-out_height // outputs), -(-out_width // outputs)
    count = batch * down * across
    computed = -(-count // block) * block

    def inside(y: tvm.ir.Expr, x: tvm.ir.Expr) -> tvm.ir.Expr:
        return tirx.all(y >= 0, y < height, x >= 0, x < width)

    def patch(t: tirx.Var, p: tirx.Var, q: tirx.Var, c: tirx.Var) -> tvm.ir.Expr:
        # Whole blocks are computed: tiles past the end repeat the last one, and are not stored.
        t = t if computed == count else tirx.min(t, count - 1)
        n, y, x = t // (down * across), t // across % down, t % across
        y, x = y * outputs + p - top, x * outputs + q - left
        plane, c = _located(first, c, inner, wide_data)
        value = prepared(data, prologue, parameters, (plane * batch + n, y, x, c))
        return tirx.if_then_else(inside(y, x), value, tirx.const(0.0, data.dtype))

    def along(
        transform: Callable[[Values], Values], read: Callable[[int], tvm.ir.Expr], at: tirx.Var
    ) -> tvm.ir.Expr:
        return _chosen(transform([read(k) for k in range(points)]), at)

    patches = te.compute((computed, points, points, inner), patch, name="patch")
    rows = te.compute(
        (computed, points, points, inner),
        lambda t, i, q, c: along(_input_transform, lambda p: patches(t, p, q, c), i),
        name="input_rows",
    )
    spectrum = te.compute(
        (points, points, computed, inner),
        lambda i, j, t, c: along(_input_transform, lambda q: rows(t, i, q, c), j),
        name="input",
    )
    rc = te.reduce_axis((0, inner), "rc")
    values = spectrum
    if steps > 1:
        values = te.compute(spectrum.shape, lambda *place: spectrum(*place), name="values")
    product = te.compute(
        (computed, points, points, blocks * wide),
        lambda t, i, j, k: te.sum(
            values[i, j, t, rc] * weight[k // wide, i, j, rc, k % wide], axis=rc
        ),
        name="winograd",
    )
    # Every second row: what is made of the same terms is together, sums or differences.
    apart = outputs // 2

    def rows_of_outputs(
        t: tirx.Var, odd: tirx.Var, y: tirx.Var, j: tirx.Var, k: tirx.Var
    ) -> tvm.ir.Expr:
        return along(_output_transform, lambda i: product(t, i, j, k), y * apart + odd)

    output_rows = te.compute(
        (computed, apart, 2, points, channels), rows_of_outputs, name="output_rows"
    )
    result = te.compute(
        (computed, apart, 2, outputs, channels),
        lambda t, odd, y, x, k: along(_output_transform, lambda j: output_rows(t, odd, y, j, k), x),
        name="output",
    )
    return te.compute(
        (batch, out_height, out_width, channels),
        lambda n, h, w, k: result[
            (n * down + h // outputs) * across + w // outputs,
            h % apart,
            h % outputs // apart,
            w % outputs,
            k,
        ],
        name="store",
    )
