"""Outputs that are tensors of their own."""

from __future__ import annotations

from tvm import relax

from tvmlcnn.graph.operators import copy

from .aten.emitter import shape_of


def own_output(
    builder: relax.BlockBuilder, result: relax.Expr, taken: list[relax.Expr]
) -> relax.Expr:
    """Return an output, or a copy of what is an input, a constant or an output already.

    What is returned is added to those taken. What has no elements needs no copy.
    """
    if 0 in shape_of(result):
        return result
    if not isinstance(result, relax.Var) or result in taken:
        result = builder.emit(copy(result))
    taken.append(result)
    return result
