"""Tensors that are broadcast to a shape."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import te, tirx
from tvm.ir import Expr


def broadcast_element(tensor: te.Tensor, shape: Sequence[int], place: Sequence[tirx.Var]) -> Expr:
    """Return the element of a tensor that is broadcast to a shape, at a place in that.

    Where an axis is as long in both it is indexed alike, or TVM would not see that the operator is
    element-wise, and would fuse no convolution to it.
    """
    sizes = [int(n) for n in tensor.shape]
    own = zip(
        sizes, shape[len(shape) - len(sizes) :], place[len(place) - len(sizes) :], strict=True
    )
    return tensor(*(at if size == extent else 0 for size, extent, at in own))
