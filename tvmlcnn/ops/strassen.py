"""Pointwise convolutions by Winograd's form of Strassen's algorithm.

V. Strassen, "Gaussian Elimination is not Optimal", 1969, multiplies matrices of 2x2 blocks with
seven products of blocks for eight; S. Winograd's form (D. Knuth, "The Art of Computer Programming",
volume 2, section 4.6.4) takes the fewest additions, of which those of the weights are done before.

N. Higham, "Accuracy and Stability of Numerical Algorithms", section 23.2.2, bounds its errors by
the largest elements of the matrices, where the usual product's are bounded element by element: the
two rows that are taken together share theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr

from .convolution import Window
from .formula import Formula
from .planes import in_plane
from .prologue import prepared
from .reduction import raveled, unraveled
from .tile import Tile
from .values import Values, chosen

PRODUCTS = 7
"""Products of blocks."""


@dataclass(frozen=True)
class Halving:
    """How a product is cut.

    Attributes
    ----------
    registers : Tile
        Of the products of blocks; their rows are pairs of rows.
    block : int
        Pairs of rows that go through all steps together.
    """

    registers: Tile
    block: int


def combine_weights(weight: np.ndarray) -> np.ndarray:
    """Return what the seven products multiply by.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (K, N), both even.

    Returns
    -------
    numpy.ndarray
        Shape (7, K / 2, N / 2).
    """
    wide = weight.astype("float64")
    upper, lower = np.split(wide, 2, 0)
    (b11, b12), (b21, b22) = np.split(upper, 2, 1), np.split(lower, 2, 1)
    t1 = b12 - b11
    t2 = b22 - t1
    return np.stack([b11, b21, b22, t2 - b21, t1, t2, b22 - b12]).astype(weight.dtype)


def _combined(a: Values) -> Values:
    """Return what the seven products multiply, of a pair of rows' halves: a11, a12, a21, a22."""
    a11, a12, a21, a22 = a
    s1 = a21 + a22
    s2 = s1 - a11
    return [a11, a12, a12 - s2, a22, s1, s2, a11 - a21]


def _added_up(p: Values) -> Values:
    """Return a pair of rows' halves of the result; they share their terms, for LLVM to find."""
    u2 = p[0] + p[5]
    u3 = u2 + p[6]
    return [p[0] + p[1], u2 + p[4] + p[2], u3 - p[3], u3 + p[4]]


def strassen(
    data: te.Tensor,
    weight: te.Tensor,
    *parameters: te.Tensor,
    shape: Sequence[int],
    window: Window,
    halving: Halving,
    first: int = 0,
    prologue: Formula | None = None,
    steps: int = 1,
) -> te.Tensor:
    """Return a pointwise convolution of NHWC data.

    Two neighbouring rows, of pixels of all maps, are the two rows of blocks.

    Parameters
    ----------
    data : te.Tensor
        Shape (planes * N, H, W, C).
    weight : te.Tensor
        From `combine_weights`, then `pack` for the registers.
    *parameters : te.Tensor
        What the prologue takes.
    shape : sequence of int
        Of the result: (N, H', W', channels).
    window : Window
        Of no padding.
    halving : Halving
    first : int
        The first of the channels that are read, counted through the planes.
    prologue : Formula, optional
    steps : int
        As of `dense`.
    """
    *pixels, channels = shape
    blocks, _, half, wide = (int(n) for n in weight.shape)
    rows, of_half = math.prod(pixels), channels // 2
    pairs = -(-rows // 2)
    computed = -(-pairs // halving.block) * halving.block

    def value(pair: Expr, second: int, later: int, channel: tirx.Var) -> Expr:
        # Whole blocks are computed: rows past the end repeat the last one, and are not stored.
        row = pair * 2 + second
        row = row if 2 * computed == rows else tirx.min(row, rows - 1)
        image, *place = window.read(unraveled(row, pixels), [0, 0])
        plane, channel = in_plane(first + later * half, channel, half, int(data.shape[3]))
        return prepared(data, prologue, parameters, (plane * pixels[0] + image, *place, channel))

    def combined(point: Expr, pair: Expr, channel: tirx.Var) -> Expr:
        halves = [value(pair, n, k, channel) for n in (0, 1) for k in (0, 1)]
        return chosen(_combined(halves), point)

    values = made = te.compute((PRODUCTS, computed, half), combined, name="input")
    if steps > 1:
        values = te.compute(made.shape, lambda *place: made(*place), name="values")
    rc = te.reduce_axis((0, half), "rc")
    product = te.compute(
        (computed, PRODUCTS, blocks * wide),
        lambda t, p, k: te.sum(values[p, t, rc] * weight[k // wide, p, rc, k % wide], axis=rc),
        name="strassen",
    )
    result = te.compute(
        (computed, 2, 2, of_half),
        lambda t, second, k, c: chosen(
            _added_up([product(t, p, c) for p in range(PRODUCTS)]), second * 2 + k
        ),
        name="output",
    )

    def stored(n: tirx.Var, h: tirx.Var, w: tirx.Var, channel: tirx.Var) -> Expr:
        row = raveled((n, h, w), pixels)
        return result[row // 2, row % 2, channel // of_half, channel % of_half]

    return te.compute(tuple(shape), stored, name="store")
