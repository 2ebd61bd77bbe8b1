"""Minimal filtering for three taps and steps of two, of numbers and of codes.

Every second input, the even ones, sees the first and the last tap, in steps of one: that is F(m, 2)
of S. Winograd, "Arithmetic Complexity of Computations", 1980, with m + 1 multiplications. The odd
inputs see the middle tap alone, in m. Together they are 2 m + 1 for 3 m of the convolution itself,
in both directions 81 for 144 where m is four.
"""

from __future__ import annotations

import numpy as np

from tvmlcnn.wrapping_arithmetic import add, subtract

from .filtering import Filtering, times
from .values import Values


def _input_of_two(d: Values) -> Values:
    return [subtract(d[0], d[2]), d[2], subtract(d[4], d[2]), d[1], d[3]]


def _output_of_two(m: Values) -> Values:
    return [add(add(m[0], m[1]), m[3]), add(add(m[2], m[1]), m[4])]


def _input_of_four(d: Values) -> Values:
    """Return what the points 1, -1, 0, 2 and infinity see, and the odd inputs.

    Codes grow to 36 times in both directions.
    """
    second = subtract(d[6], d[2])
    return [
        subtract(second, add(d[2], d[4])),
        subtract(second, times(3, subtract(d[4], d[2]))),
        add(second, times(2, subtract(d[0], d[4]))),
        second,
        subtract(subtract(d[8], d[4]), times(2, second)),
        *d[1::2],
    ]


def _output_of_four(m: Values) -> Values:
    both, difference = add(m[0], m[1]), subtract(m[0], m[1])
    return [
        add(add(both, m[3]), add(m[2], m[5])),
        add(add(difference, m[6]), times(2, m[3])),
        add(add(both, m[7]), times(4, m[3])),
        add(add(difference, add(m[4], m[8])), times(8, m[3])),
    ]


TWO = Filtering(
    stride=2,
    outputs=2,
    weights=np.array([[1, 0, 0], [1, 0, 1], [0, 0, 1], [0, 1, 0]]),
    input=_input_of_two,
    output=_output_of_two,
    whole=np.array([1, 1, 1, 1]),
)
FOUR = Filtering(
    stride=2,
    outputs=4,
    weights=np.array(
        [
            [-1 / 2, 0, -1 / 2],
            [-1 / 6, 0, 1 / 6],
            [1 / 2, 0, 0],
            [1 / 6, 0, 1 / 3],
            [0, 0, 1],
            [0, 1, 0],
        ]
    ),
    input=_input_of_four,
    output=_output_of_four,
    whole=np.array([6] * 6),
    divisor=(pow(9, -1, 2**32), 2),
)
