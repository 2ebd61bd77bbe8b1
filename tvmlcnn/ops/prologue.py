"""What a convolution applies to its input when it reads it."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import te
from tvm.ir import Expr

from .formula import Formula


def prepared(
    data: te.Tensor,
    prologue: Formula | None,
    parameters: Sequence[te.Tensor],
    place: Sequence[Expr],
) -> Expr:
    """Return what a convolution reads at a place of its data.

    Parameters
    ----------
    data : te.Tensor
    prologue : Formula or None
        Takes an element of the data and the elements beside it of the parameters.
    parameters : sequence of te.Tensor
        As large as the data, or 1, along each axis.
    place : sequence of tvm.ir.Expr
    """
    if prologue is None:
        return data(*place)
    beside = (
        tensor(*(0 if int(n) == 1 else i for n, i in zip(tensor.shape, place, strict=True)))
        for tensor in parameters
    )
    return prologue(data(*place), *beside)
