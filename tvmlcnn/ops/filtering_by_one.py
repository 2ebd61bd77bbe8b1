"""Winograd's minimal filtering for three taps and steps of one, of numbers and of codes.

A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015: F(m, 3) computes m
outputs from m + 2 inputs with as many multiplications. G of section 4.1 (F(2, 3)) and 4.3
(F(4, 3)); rows are the points of the transform, here in an order in which two neighbours are made
of the same terms.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import tvm

from tvmlcnn.wrapping_arithmetic import add, subtract

from .filtering import Filtering, times
from .values import Values


def _input_of_two(d: Values) -> Values:
    return [subtract(d[0], d[2]), add(d[1], d[2]), subtract(d[2], d[1]), subtract(d[1], d[3])]


def _output_of_two(m: Values) -> Values:
    return [add(add(m[0], m[1]), m[2]), subtract(subtract(m[1], m[2]), m[3])]


def _input_of_four(d: Values) -> Values:
    """Codes grow to a hundredfold in both directions: to 14 bits and a sign."""
    even, odd = subtract(d[4], times(4, d[2])), subtract(d[3], times(4, d[1]))
    near, far = subtract(d[4], d[2]), subtract(d[3], d[1])
    return [
        add(even, odd),
        subtract(even, odd),
        add(near, times(2, far)),
        subtract(near, times(2, far)),
        add(near, times(4, subtract(d[0], d[2]))),
        subtract(subtract(d[5], d[3]), times(4, far)),
    ]


def _output_of_four(m: Values) -> Values:
    sum1, difference1 = add(m[0], m[1]), subtract(m[0], m[1])
    sum2, difference2 = add(m[2], m[3]), subtract(m[2], m[3])
    if str(m[0].ty.dtype).startswith("int"):
        twice = times(2, difference2)
        last = add(difference1, times(4, add(twice, m[5])))
    else:
        last = difference1 + times(8, difference2) + m[5]
    return [
        add(add(m[4], sum1), sum2),
        add(difference1, times(2, difference2)),
        add(sum1, times(4, sum2)),
        last,
    ]


def _input_of_five(d: Values) -> Values:
    """Return what the points of F(4, 3) and the one more see.

    Those see d through the factor of the other point, x + 1/2, and that one through the factors of
    theirs, as the last of F(4, 3) does.
    """
    others = [value + times(0.5, before) for before, value in pairwise(d)]
    return [*_input_of_four(others), _last_input(d)]


def _last_input(d: Values) -> tvm.ir.Expr:
    """Return d through the factors of 0, 1, -1, 2 and -2."""
    return d[5] - times(5, d[3]) + times(4, d[1])


def _output_of_five(m: Values) -> Values:
    sum1, difference1 = add(m[0], m[1]), subtract(m[0], m[1])
    sum2, difference2 = add(m[2], m[3]), subtract(m[2], m[3])
    return [
        m[4] + sum1 + sum2 + m[6],
        difference1 + times(2, difference2) - times(1 / 2, m[6]),
        sum1 + times(4, sum2) + times(1 / 4, m[6]),
        difference1 + times(8, difference2) - times(1 / 8, m[6]),
        sum1 + times(16, sum2) + times(1 / 16, m[6]) + m[5],
    ]


TWO = Filtering(
    stride=1,
    outputs=2,
    weights=np.array([[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]]),
    input=_input_of_two,
    output=_output_of_two,
    whole=np.array([2, 2, 2, 2]),
    divisor=(1, 2),
)
FOUR = Filtering(
    stride=1,
    outputs=4,
    weights=np.array(
        [
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [1 / 4, 0, 0],
            [0, 0, 1],
        ]
    ),
    input=_input_of_four,
    output=_output_of_four,
    # The transform of the output multiplies the last row by a fourth of 24 itself, for transformed
    # weights to fit 16 bits: a row's sizes are 12 together at most, 144 of both.
    whole=np.array([24, 24, 24, 24, 24, 6]),
    divisor=(pow(9, -1, 2**32), 6),
)
# With one more point, -1/2: a row's terms are powers of its point over the product of its distances
# to the others. Of 256 random channels the largest error is 1.1e-5 of the largest sum, that of
# F(4x4) 7.9e-6; with 1/2 it is 1.5e-5.
FIVE = Filtering(
    stride=1,
    outputs=5,
    weights=np.array(
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
    input=_input_of_five,
    output=_output_of_five,
)
