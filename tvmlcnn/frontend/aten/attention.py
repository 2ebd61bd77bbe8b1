"""Scaled dot-product attention.

torch's own decomposition scales both factors of the scores, and asks of each row of them whether a
mask left anything of it, which costs more than the softmax.
"""

from __future__ import annotations

import math

import numpy as np
from tvm import relax

from tvmlcnn.errors import UserError
from tvmlcnn.graph.constants import constant, value_of

from .emitter import Call, Converter, Emitter, Value, dtype_of, shape_of

op = relax.op


def _attention(emit: Emitter, call: Call) -> Value:
    """Return softmax(query key^T scale + mask) value (Vaswani et al. 2017, equation 1)."""
    query, key, value, mask = call.query, call.key, call.value, call.attn_mask
    if call.dropout_p:
        raise UserError("it is random with a dropout_p above 0; give 0 where nothing is trained")
    if call.enable_gqa:
        heads = shape_of(query)[-3]
        key, value = (emit(op.repeat, x, heads // shape_of(x)[-3], -3) for x in (key, value))
    rank, (length, depth) = len(shape_of(key)), shape_of(query)[-2:]
    turned = emit.permute(key, [*range(rank - 2), rank - 1, rank - 2])
    scale = 1 / math.sqrt(depth) if call.scale is None else float(call.scale)
    scores = emit(op.matmul, query, turned)
    scores = emit(op.multiply, scores, emit.scalar(scale, dtype_of(scores)))
    if call.is_causal:
        mask = constant(np.tri(length, shape_of(key)[-2], dtype=bool))
    if mask is None:
        return emit(op.matmul, emit(op.nn.softmax, scores, -1), value)
    if dtype_of(mask) == "bool":
        nothing = emit.scalar(-math.inf, dtype_of(scores))
        scores = emit(op.where, mask, scores, nothing)
    else:
        scores = emit(op.add, scores, emit.cast(mask, dtype_of(scores)))
    shares = emit(op.nn.softmax, scores, -1)
    if not _leaves_something(mask):
        most = emit(op.max, scores, [-1], True)
        # TVM's maximum of infinities below zero is the lowest number.
        lowest = emit.scalar(float(np.finfo(dtype_of(scores)).min), dtype_of(scores))
        masked = emit(op.less_equal, most, lowest)
        shares = emit(op.where, masked, emit.scalar(0, dtype_of(scores)), shares)
    return emit(op.matmul, shares, value)


def _leaves_something(mask: Value) -> bool:
    """Tell whether a mask is known to leave something of each row; of others torch makes zeros."""
    array = value_of(mask)
    if array is None or not array.ndim:
        return False
    return bool((array if array.dtype == bool else array > -math.inf).any(axis=-1).all())


TABLE: dict[str, Converter] = {"scaled_dot_product_attention.default": _attention}
