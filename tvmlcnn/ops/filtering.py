"""Minimal filtering of three taps along one direction, of numbers and of codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import tirx

from tvmlcnn.wrapping_arithmetic import multiply

from .values import Values

Transform = Callable[[Values], Values]


@dataclass(frozen=True)
class Filtering:
    """How some neighbouring outputs are computed from fewer products than taps and outputs make.

    Attributes
    ----------
    stride : int
        Of the convolution.
    outputs : int
        That are computed together.
    weights : numpy.ndarray
        Shape (kernels, 3): G, what the taps are multiplied by. Points after the last kernel have
        the last one as well.
    input, output : callable
        The transforms ``B^T d`` and ``A^T m``; they share their terms, for the code generator to
        find.
    whole : numpy.ndarray, optional
        What each row of G is multiplied by to be whole, None where codes are not computed so.
    divisor : tuple of int
        What the output transform's result, in both directions, of weights that are whole is a
        multiple of: the inverse modulo 2**32 of its odd part, and the power of two.
    """

    stride: int
    outputs: int
    weights: np.ndarray
    input: Transform
    output: Transform
    whole: np.ndarray | None = None
    divisor: tuple[int, int] = (1, 0)

    @property
    def points(self) -> int:
        """Inputs that the outputs are made of, and as many products."""
        return (self.outputs - 1) * self.stride + 3


def times(number: float, value: tvm.ir.Expr) -> tvm.ir.Expr:
    """Return a value times a constant of its type."""
    return multiply(tirx.const(number, value.ty.dtype), value)
