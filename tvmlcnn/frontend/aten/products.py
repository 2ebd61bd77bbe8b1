"""Products of matrices."""

from __future__ import annotations

import numpy as np
from tvm import relax

from .emitter import Call, Converter, Emitter, Value, dtype_of, shape_of

op = relax.op


def _product(left: str, right: str) -> Converter:
    def convert(emit: Emitter, call: Call) -> Value:
        return _matmul(emit, call.values[left], call.values[right])

    return convert


def _matmul(emit: Emitter, left: Value, right: Value) -> Value:
    if shape_of(left)[-1]:
        return emit(op.matmul, left, right)
    # Sums of no terms, which a kernel for products has no tiles for.
    shape = np.matmul(np.empty(shape_of(left)), np.empty(shape_of(right))).shape
    return emit(op.zeros, shape, dtype_of(left))


def _linear(emit: Emitter, call: Call) -> Value:
    weight = call.weight
    if len(shape_of(weight)) == 2:
        weight = emit.permute(weight, [1, 0])
    result = _matmul(emit, call.input, weight)
    return result if call.bias is None else emit(op.add, result, call.bias)


def _sum_with_product(left: str, right: str) -> Converter:
    """Return beta * self + alpha * (left @ right)."""

    def convert(emit: Emitter, call: Call) -> Value:
        product = _matmul(emit, call.values[left], call.values[right])
        if call.alpha != 1:
            product = emit(op.multiply, product, emit.scalar(call.alpha, call.dtype_))
        if call.beta == 0:
            return product
        added = call.self
        if call.beta != 1:
            added = emit(op.multiply, added, emit.scalar(call.beta, call.dtype_))
        return emit(op.add, product, added)

    return convert


TABLE: dict[str, Converter] = {
    "mm.default": _product("self", "mat2"),
    "bmm.default": _product("self", "mat2"),
    "matmul.default": _product("self", "other"),
    "linear.default": _linear,
    "addmm.default": _sum_with_product("mat1", "mat2"),
    "baddbmm.default": _sum_with_product("batch1", "batch2"),
}
