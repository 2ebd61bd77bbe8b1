"""Activations, as torch's modules have them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tvm import relax

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
    """Return log(1 / (1 + exp(-x))), which is -softplus(-x), and torch's scratch: none."""
    value = emit(op.nn.softplus, emit(op.negative, call.self), 1.0, 20.0)
    return [emit(op.negative, value), None]


def _mish(emit: Emitter, call: Call) -> Value:
    value = emit(op.tanh, emit(op.nn.softplus, call.self, 1.0, 20.0))
    return emit(op.multiply, call.self, value)


def _elu(emit: Emitter, call: Call) -> Value:
    """Return scale * x, below zero scale * alpha * (exp(input_scale * x) - 1)."""
    dtype = call.dtype_
    data, zero = call.self, emit.scalar(0, dtype)
    below = emit(op.minimum, data, zero)
    if call.input_scale != 1:
        below = emit(op.multiply, below, emit.scalar(call.input_scale, dtype))
    below = emit(op.subtract, emit(op.exp, below), emit.scalar(1, dtype))
    below = emit(op.multiply, below, emit.scalar(call.scale * call.alpha, dtype))
    above = emit(op.nn.relu, data)
    if call.scale != 1:
        above = emit(op.multiply, above, emit.scalar(call.scale, dtype))
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
    if rank > 1:
        weight = emit.reshape(weight, [1, shape_of(weight)[0], *[1] * (rank - 2)])
    zero = emit.scalar(0, call.dtype_)
    below = emit(op.multiply, emit(op.minimum, call.self, zero), weight)
    return emit(op.add, emit(op.nn.relu, call.self), below)


def _expm1(emit: Emitter, call: Call) -> Value:
    value = emit(op.exp, emit.cast(call.self, call.dtype_))
    return emit(op.subtract, value, emit.scalar(1, call.dtype_))


def _log1p(emit: Emitter, call: Call) -> Value:
    data = emit.cast(call.self, call.dtype_)
    return emit(op.log, emit(op.add, data, emit.scalar(1, call.dtype_)))


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
    "mish.default": _mish,
    "softplus.default": _softplus,
    "log_sigmoid_forward.default": _log_sigmoid,
    "elu.default": _elu,
    "hardtanh.default": _hardtanh,
    "hardsigmoid.default": _hardsigmoid,
    "hardswish.default": _hardswish,
    "leaky_relu.default": _leaky_relu,
    "_prelu_kernel.default": _prelu,
    "prelu.default": _prelu,
    "expm1.default": _expm1,
    "log1p.default": _log1p,
    "_softmax.default": _softmax(op.nn.softmax),
    "_log_softmax.default": _softmax(op.nn.log_softmax),
}
