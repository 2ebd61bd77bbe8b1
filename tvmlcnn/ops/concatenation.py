"""Concatenation along the innermost axis."""

from __future__ import annotations

import math
from itertools import accumulate

from tvm import te, tirx
from tvm.ir import Expr


def concatenate(tensors: list[te.Tensor]) -> te.Tensor:
    """Return the tensors one after the other along their last axis.

    Which tensor an element is from is asked for blocks of elements as long as all tensors start
    at one: so that it is one answer for the lanes of a vector, where asking each would leave
    the kernel without vectors.

    Parameters
    ----------
    tensors : list of te.Tensor
        Of one shape but for the last axis.

    Returns
    -------
    te.Tensor
        Shape (..., sum of the last axes).
    """
    starts = [0, *accumulate(int(tensor.shape[-1]) for tensor in tensors)]
    common = math.gcd(*starts[:-1]) or starts[-1]
    block = common & -common

    def element(*index: tirx.Var) -> Expr:
        *outer, last = index
        value = tensors[0](*outer, last)
        for tensor, start in zip(tensors[1:], starts[1:], strict=False):
            # Not `>=`, which TVM turns into a comparison of the element itself.
            inside = tirx.min(last // block, start // block) == start // block
            value = tirx.if_then_else(inside, tensor(*outer, last - start), value)
        return value

    return te.compute((*tensors[0].shape[:-1], starts[-1]), element, name="concatenate")
