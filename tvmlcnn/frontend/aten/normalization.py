"""Normalization, with stored statistics or the input's own."""

from __future__ import annotations

import math

import numpy as np
from tvm import relax

from tvmlcnn.errors import UserError
from tvmlcnn.graph.constants import constant

from .emitter import Call, Converter, Emitter, Value, axes_of, shape_of

op = relax.op


def _filled(given: Value, value: float, size: int, dtype: str) -> Value:
    return constant(np.full(size, value, dtype)) if given is None else given


def _batch_norm(emit: Emitter, call: Call) -> list[Value]:
    """Normalize by stored statistics; they and the scratch of training are not computed."""
    channels, dtype = shape_of(call.input)[1], str(call.input.ty.dtype)
    result = emit(
        op.nn.batch_norm,
        call.input,
        _filled(call.weight, 1, channels, dtype),
        _filled(call.bias, 0, channels, dtype),
        call.running_mean,
        call.running_var,
        axis=1,
        epsilon=call.eps,
        training=False,
    )
    return [emit(relax.TupleGetItem, result, 0), None, None]


def _batch_norm_of_training(emit: Emitter, call: Call) -> list[Value]:
    """Normalize by the batch's statistics where there are no others."""
    if call.values.get("running_mean") is not None and call.training:
        raise UserError(
            "the model was exported in training mode: its batch normalization would use each "
            "batch's statistics; call eval() before torch.export.export"
        )
    if not call.training:
        return _batch_norm(emit, call)
    # Each channel of the whole batch is a group of one channel, of a batch of one.
    shape = shape_of(call.input)
    axes = [1, 0, *range(2, len(shape))]
    moved = emit.permute(call.input, axes)
    grouped = emit.reshape(moved, [1, *shape_of(moved)])
    result = _normalized_groups(emit, call, grouped, shape[1])
    return [emit.permute(emit.reshape(result, shape_of(moved)), axes), None, None]


def _instance_norm(emit: Emitter, call: Call) -> Value:
    if not call.use_input_stats:
        raise UserError("instance normalization by stored statistics cannot be compiled yet")
    return _normalized_groups(emit, call, call.input, shape_of(call.input)[1])


def _group_norm(emit: Emitter, call: Call) -> list[Value]:
    return [_normalized_groups(emit, call, call.input, int(call.group)), None, None]


def _normalized_groups(emit: Emitter, call: Call, data: Value, groups: int) -> Value:
    """Normalize each group of channels by its own statistics; they are the second axis."""
    channels, dtype = shape_of(data)[1], str(data.ty.dtype)
    return emit(
        op.nn.group_norm,
        data,
        _filled(call.weight, 1, channels, dtype),
        _filled(call.bias, 0, channels, dtype),
        num_groups=groups,
        channel_axis=1,
        axes=list(range(2, len(shape_of(data)))),
        epsilon=call.eps,
    )


def _layer_norm(emit: Emitter, call: Call) -> list[Value]:
    sizes, dtype = list(call.normalized_shape), str(call.input.ty.dtype)
    axes = list(range(-len(sizes), 0))

    def filled(given: Value, value: float) -> Value:
        return constant(np.full(sizes, value, dtype)) if given is None else given

    weight, bias = filled(call.weight, 1), filled(call.bias, 0)
    return [emit(op.nn.layer_norm, call.input, weight, bias, axes, call.eps), None, None]


def _vector_norm(emit: Emitter, call: Call) -> Value:
    """Return the norm of a given order along axes."""
    data, dtype, order = emit.cast(call.self, call.dtype_), call.dtype_, call.ord
    axes, keep = axes_of(call.dim, len(shape_of(data))), bool(call.keepdim)
    if not axes:
        data, axes, keep = emit.reshape(data, (1,)), [0], False
    if order == 2:
        squares = emit(op.multiply, data, data)
        return emit(op.sqrt, emit(op.sum, squares, axes, keep))
    data = emit(op.abs, data)
    if math.isinf(order):
        return emit(op.max if order > 0 else op.min, data, axes, keep)
    if order == 1:
        return emit(op.sum, data, axes, keep)
    if order == 0:
        nonzero = emit.cast(emit(op.not_equal, data, emit.scalar(0, dtype)), dtype)
        return emit(op.sum, nonzero, axes, keep)
    powers = emit(op.sum, emit(op.power, data, emit.scalar(order, dtype)), axes, keep)
    return emit(op.power, powers, emit.scalar(1 / order, dtype))


TABLE: dict[str, Converter] = {
    "_native_batch_norm_legit_no_training.default": _batch_norm,
    "_native_batch_norm_legit.default": _batch_norm_of_training,
    "_native_batch_norm_legit.no_stats": _batch_norm_of_training,
    "_native_batch_norm_legit_functional.default": _batch_norm_of_training,
    "instance_norm.default": _instance_norm,
    "native_group_norm.default": _group_norm,
    "native_layer_norm.default": _layer_norm,
    "linalg_vector_norm.default": _vector_norm,
}
