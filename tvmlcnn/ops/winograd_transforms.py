"""The transforms of Winograd's minimal filtering for 3x3 kernels, of numbers and of codes.

A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015: F(m x m, 3 x 3)
computes m x m outputs from (m + 2) x (m + 2) inputs with as many multiplications.

Of codes all of it is done in integers, modulo 2**32: weights are transformed by ``G`` times a
number that makes it whole, so that the result is the sum of products times the square of that
number, which a division without a remainder takes away.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import tvm
from tvm import tirx

from tvmlcnn.wrapping_arithmetic import add, multiply, subtract

from .values import Values

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
    # With one more point, -1/2: a row's terms are powers of its point over the product of its
    # distances to the others. Of 256 random channels the largest error is 1.1e-5 of the largest
    # sum, that of F(4x4) 7.9e-6; with 1/2 it is 1.5e-5.
    5: np.array(
        [
            [-1 / 9, -1 / 9, -1 / 9],
            [1 / 3, -1 / 3, 1 / 3],
            [1 / 60, 1 / 30, 1 / 15],
            [-1 / 36, 1 / 18, -1 / 9],
            [1 / 2, 0, 0],
            [0, 0, 1],
            [-32 / 45, 16 / 45, -8 / 45],
        ]
    ),
}
# What makes it whole; the transform of the output multiplies the last row by a fourth of 24 itself,
# for transformed weights to fit 16 bits: a row's sizes are 12 together at most, 144 of both.
_WHOLE = {2: np.array([2, 2, 2, 2]), 4: np.array([24, 24, 24, 24, 24, 6])}
# Squares of 2 and of 24 are an odd number times a power of two; the inverse of 9 modulo 2**32.
_DIVISORS = {2: (1, 2), 4: (pow(9, -1, 2**32), 6)}
_LARGEST_CODE = 128


def transform_weights(weight: np.ndarray, outputs: int) -> np.ndarray:
    """Return ``G g G^T`` of each kernel.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (3, 3, C, K), HWIO.
    outputs : int
        Outputs of a tile along each side: 2, 4, or of numbers 5.

    Returns
    -------
    numpy.ndarray
        Shape (outputs + 2, outputs + 2, C, K); of weights of int8 whole numbers of int16.
    """
    matrix, dtype = _WEIGHTS[outputs], weight.dtype
    if dtype == np.int8:
        matrix, dtype = np.rint(matrix * _WHOLE[outputs][:, None]), np.dtype(np.int16)
    result = np.einsum("iy,jx,yxck->ijck", matrix, matrix, weight.astype("float64"), optimize=True)
    return result.astype(dtype)


def is_exact(weight: np.ndarray, outputs: int) -> bool:
    """Tell whether sums of codes, shape (3, 3, C, K), are exact whatever the codes are.

    They are where they fit 32 bits with the power of two that they are shifted by in the end.
    """
    most = int(np.abs(weight.astype(np.int64)).sum((0, 1, 2)).max(initial=0)) * _LARGEST_CODE
    return most << _DIVISORS[outputs][1] < 2**31


def input_transform(d: Values) -> Values:
    """Return ``B^T d``; the transforms share their terms, for the code generator to find.

    Codes grow to a hundredfold in both directions: to 14 bits and a sign.
    """
    if len(d) == 4:
        return [subtract(d[0], d[2]), add(d[1], d[2]), subtract(d[2], d[1]), subtract(d[1], d[3])]
    if len(d) == 7:
        # The points of F(4x4) see d through the factor of the other point, x + 1/2, and that one
        # through the factors of theirs, as the last of F(4x4) does.
        others = [value + _times(0.5, before) for before, value in pairwise(d)]
        return [*input_transform(others), _last_input(d)]
    even, odd = subtract(d[4], _times(4, d[2])), subtract(d[3], _times(4, d[1]))
    near, far = subtract(d[4], d[2]), subtract(d[3], d[1])
    return [
        add(even, odd),
        subtract(even, odd),
        add(near, _times(2, far)),
        subtract(near, _times(2, far)),
        add(near, _times(4, subtract(d[0], d[2]))),
        subtract(subtract(d[5], d[3]), _times(4, far)),
    ]


def _last_input(d: Values) -> tvm.ir.Expr:
    """Return d through the factors of 0, 1, -1, 2 and -2."""
    return d[5] - _times(5, d[3]) + _times(4, d[1])


def output_transform(m: Values) -> Values:
    """Return ``A^T m``."""
    if len(m) == 4:
        return [add(add(m[0], m[1]), m[2]), subtract(subtract(m[1], m[2]), m[3])]
    sum1, difference1 = add(m[0], m[1]), subtract(m[0], m[1])
    sum2, difference2 = add(m[2], m[3]), subtract(m[2], m[3])
    if len(m) == 7:
        return [
            m[4] + sum1 + sum2 + m[6],
            difference1 + _times(2, difference2) - _times(1 / 2, m[6]),
            sum1 + _times(4, sum2) + _times(1 / 4, m[6]),
            difference1 + _times(8, difference2) - _times(1 / 8, m[6]),
            sum1 + _times(16, sum2) + _times(1 / 16, m[6]) + m[5],
        ]
    if str(m[0].ty.dtype).startswith("int"):
        twice = _times(2, difference2)
        last = add(difference1, _times(4, add(twice, m[5])))
    else:
        last = difference1 + _times(8, difference2) + m[5]
    return [
        add(add(m[4], sum1), sum2),
        add(difference1, _times(2, difference2)),
        add(sum1, _times(4, sum2)),
        last,
    ]


def divided(result: tvm.ir.Expr, outputs: int) -> tvm.ir.Expr:
    """Return a result of the transforms as the sum of products that it is a multiple of."""
    if not str(result.ty.dtype).startswith("int"):
        return result
    inverse, shift = _DIVISORS[outputs]
    whole = result if inverse == 1 else multiply(result, tirx.const(inverse, result.ty.dtype))
    return tirx.shift_right(whole, tirx.const(shift, result.ty.dtype))


def _times(number: float, value: tvm.ir.Expr) -> tvm.ir.Expr:
    return multiply(tirx.const(number, value.ty.dtype), value)
