"""The transforms of 3x3 convolutions by minimal filtering, of numbers and of codes.

Of codes all of it is done in integers, modulo 2**32: weights are transformed by ``G`` times a
number that makes it whole, so that the result is the sum of products times the square of that
number, which a division without a remainder takes away.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import tirx

from tvmlcnn.wrapping_arithmetic import multiply

from . import filtering_by_one, filtering_by_two
from .filtering import Filtering

_FILTERINGS = {
    (each.stride, each.outputs): each
    for each in (
        filtering_by_one.TWO,
        filtering_by_one.FOUR,
        filtering_by_one.FIVE,
        filtering_by_two.TWO,
        filtering_by_two.FOUR,
    )
}
_LARGEST_CODE = 128


def filtering_of(outputs: int, stride: int) -> Filtering:
    """Return how so many outputs along each side are computed: 2, 4, or of numbers by ones 5."""
    return _FILTERINGS[stride, outputs]


def transform_weights(weight: np.ndarray, outputs: int, stride: int = 1) -> np.ndarray:
    """Return ``G g G^T`` of each kernel.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (3, 3, C, K), HWIO.
    outputs : int
        Outputs of a tile along each side: 2, 4, or of numbers with steps of one 5.
    stride : int
        Of the convolution, 1 or 2.

    Returns
    -------
    numpy.ndarray
        Shape (kernels, kernels, C, K), of `Filtering`; of weights of int8 whole numbers of int16.
    """
    way = filtering_of(outputs, stride)
    matrix, dtype = way.weights, weight.dtype
    if dtype == np.int8:
        assert way.whole is not None
        matrix, dtype = np.rint(matrix * way.whole[:, None]), np.dtype(np.int16)
    result = np.einsum("iy,jx,yxck->ijck", matrix, matrix, weight.astype("float64"), optimize=True)
    return result.astype(dtype)


def is_exact(weight: np.ndarray, outputs: int, stride: int = 1) -> bool:
    """Tell whether sums of codes, shape (3, 3, C, K), are exact whatever the codes are.

    They are where they fit 32 bits with the power of two that they are shifted by in the end.
    """
    most = int(np.abs(weight.astype(np.int64)).sum((0, 1, 2)).max(initial=0)) * _LARGEST_CODE
    return most << filtering_of(outputs, stride).divisor[1] < 2**31


def divided(result: tvm.ir.Expr, way: Filtering) -> tvm.ir.Expr:
    """Return a result of the transforms as the sum of products that it is a multiple of."""
    if not str(result.ty.dtype).startswith("int"):
        return result
    inverse, shift = way.divisor
    whole = result if inverse == 1 else multiply(result, tirx.const(inverse, result.ty.dtype))
    return tirx.shift_right(whole, tirx.const(shift, result.ty.dtype)) if shift else whole
