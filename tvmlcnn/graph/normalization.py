"""Normalization of tensors whose axes are in another order."""

from __future__ import annotations

from dataclasses import replace

from tvm import relax

from .permuted import Permuted
from .rewriter import Rewriter


def layer_norm(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Normalize the innermost axes where they lie."""
    data = rewriter.value(call.args[0])
    rank = len(data.order)
    axes = [int(axis) % rank for axis in call.attrs.axes]
    if data.plain or list(data.order[rank - len(axes) :]) != axes:
        return None
    data = rewriter.compact(data)
    attrs, parameters = call.attrs, [rewriter.value(arg).expr for arg in call.args[1:]]
    stored = list(range(rank - len(axes), rank))
    result = relax.op.nn.layer_norm(
        data.expr, *parameters, stored, attrs.epsilon, attrs.center, attrs.scale
    )
    return replace(data, expr=rewriter.builder.emit(result))


def channel_norm(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Normalize groups of the channels, which are last, or brought there."""
    data, attrs = rewriter.value(call.args[0]), call.attrs
    rank = len(data.order)
    channel = int(attrs.channel_axis) % rank
    old = [int(axis) % rank for axis in attrs.axes]
    if data.plain and (0 not in old or data.shape[0] == 1):
        return None
    last = (*(axis for axis in range(rank) if axis != channel), channel)
    data = Permuted(rewriter.ordered(data, last), last)
    parameters = [rewriter.value(arg).expr for arg in call.args[1:]]
    axes = sorted(data.axis(axis) for axis in old)
    rest = (rank - 1, axes, attrs.epsilon, attrs.center, attrs.scale)
    if call.op.name == "relax.nn.group_norm":
        result = relax.op.nn.group_norm(data.expr, *parameters, int(attrs.num_groups), *rest)
    else:
        result = relax.op.nn.instance_norm(data.expr, *parameters, *rest)
    return replace(data, expr=rewriter.builder.emit(result))
