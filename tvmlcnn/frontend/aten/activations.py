"""Activations, as torch's modules have them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from tvm import relax

from tvmlcnn.graph import elementwise_operators
from tvmlcnn.graph.constants import constant

from .emitter import Call, Converter, Emitter, Value, shape_of

op = relax.op


def _own(operator: Callable[..., relax.Expr]) -> Converter:
    return lambda emit, call: emit(operator, call.self)


def _gelu(emit: Emitter, call: Call) -> Value:
    return emit(op.nn.gelu if call.approximate == "none" else op.nn.gelu_tanh, call.self)


def _softplus(emit: Emitter, call: Call) -> Value:
    return emit(op.nn.softplus, call.self, float(call.beta), float(call.threshold))


def _log_sigmoid(emit: Emitter, call: Call) -> list[Value]:
    """Return log(1 / (1 + exp(-x))), and torch's scratch: none."""
    return [emit(elementwise_operators.call, "tvmlcnn.log_sigmoid", call.self), None]


def _elu(emit: Emitter, call: Call) -> Value:
    """Return scale * x, below zero scale * alpha * (exp(input_scale * x) - 1)."""
    dtype, scale, inner = call.dtype_, float(call.scale), float(call.input_scale)
    if scale == inner == 1:
        return emit(elementwise_operators.call, "tvmlcnn.elu", call.self, alpha=float(call.alpha))
    below = emit(op.minimum, call.self, emit.scalar(0, dtype))
    below = emit(op.multiply, below, emit.scalar(inner, dtype))
    below = emit(elementwise_operators.call, "tvmlcnn.expm1", below)
    below = emit(op.multiply, below, emit.scalar(scale * call.alpha, dtype))
    above = emit(op.multiply, emit(op.nn.relu, call.self), emit.scalar(scale, dtype))
    return emit(op.add, above, below)


def _hardtanh(emit: Emitter, call: Call) -> Value:
    return emit(op.clip, call.self, float(call.min_val), float(call.max_val))


def _hardsigmoid(emit: Emitter, call: Call) -> Value:
    """Return relu6(x + 3) / 6 (Howard et al. 2019, section 5.2)."""
    dtype = call.dtype_
    data = emit(op.clip, emit(op.add, call.self, emit.scalar(3, dtype)), 0.0, 6.0)
    return emit(op.divide, data, emit.scalar(6, dtype))


def _hardswish(emit: Emitter, call: Call) -> Value:
    """Return x * relu6(x + 3) / 6 (Howard et al. 2019, section 5.2)."""
    return emit(op.multiply, call.self, _hardsigmoid(emit, call))


def _leaky_relu(emit: Emitter, call: Call) -> Value:
    return emit(op.nn.leakyrelu, call.self, float(call.negative_slope))


def _prelu(emit: Emitter, call: Call) -> Value:
    """Return max(x, 0) + weight * min(x, 0), a weight a channel."""
    rank, weight = len(shape_of(call.self)), call.weight
    count = math.prod(shape_of(weight))
    weight = emit.reshape(weight, [1, count, *[1] * (rank - 2)] if rank > 1 else [1] * rank)
    zero = emit.scalar(0, call.dtype_)
    below = emit(op.multiply, emit(op.minimum, call.self, zero), weight)
    return emit(op.add, emit(op.nn.relu, call.self), below)


def _ours(name: str) -> Converter:
    """Emit an operator of our own, in the type of the result."""

    def convert(emit: Emitter, call: Call) -> Value:
        return emit(elementwise_operators.call, name, emit.cast(call.self, call.dtype_))

    return convert


def _softmax(operator: Callable[..., relax.Expr]) -> Converter:
    def convert(emit: Emitter, call: Call) -> Value:
        data = emit.cast(call.self, call.dtype_)
        if not shape_of(data):
            return constant(np.full((), operator is op.nn.softmax, call.dtype_))
        return emit(operator, data, call.dim)

    return convert


TABLE: dict[str, Converter] = {
    "relu.default": _own(op.nn.relu),
    "silu.default": _own(op.nn.silu),
    "selu.default": _own(op.nn.selu),
    "gelu.default": _gelu,
    "mish.default": _ours("tvmlcnn.mish"),
    "softplus.default": _softplus,
    "log_sigmoid_forward.default": _log_sigmoid,
    "elu.default": _elu,
    "hardtanh.default": _hardtanh,
    "hardsigmoid.default": _hardsigmoid,
    "hardswish.default": _hardswish,
    "leaky_relu.default": _leaky_relu,
    "_prelu_kernel.default": _prelu,
    "prelu.default": _prelu,
    "expm1.default": _ours("tvmlcnn.expm1"),
    "log1p.default": _ours("tvmlcnn.log1p"),
    "_softmax.default": _softmax(op.nn.softmax),
    "_log_softmax.default": _softmax(op.nn.log_softmax),
}
