"""What our integer kernels take: the operators of an exported graph, by what becomes of them.

An operator that stands in none of these tables is computed in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

_ATEN = torch.ops.aten

WEIGHTED = {
    _ATEN.conv1d.default,
    _ATEN.conv1d.padding,
    _ATEN.conv2d.default,
    _ATEN.conv2d.padding,
    _ATEN.linear.default,
}
"""Products with constant weights, whose axis 0 is that of the output channels."""


def lone_batch_norm(*arguments: Any) -> torch.Tensor:
    """Return what ``aten.batch_norm`` does, under a name that torchao does not fold."""
    return _ATEN.batch_norm.default(*arguments)


_BATCH_NORMS = (_ATEN.batch_norm.default, lone_batch_norm)

ELEMENTWISE = {
    *_BATCH_NORMS,
    *(_ATEN.relu.default, _ATEN.relu6.default),
    *(_ATEN.hardtanh.default, _ATEN.clamp.default),
    *(_ATEN.clamp_min.default, _ATEN.clamp_max.default),
    _ATEN.hardswish.default,
    _ATEN.hardsigmoid.default,
    *(_ATEN.silu.default, _ATEN.mish.default),
    *(_ATEN.sigmoid.default, _ATEN.tanh.default),
    *(_ATEN.leaky_relu.default, _ATEN.prelu.default),
    *(_ATEN.elu.default, _ATEN.selu.default, _ATEN.celu.default),
    *(_ATEN.gelu.default, _ATEN.softplus.default, _ATEN.log_sigmoid.default),
    *(_ATEN.exp.default, _ATEN.neg.default, _ATEN.abs.default, _ATEN.square.default),
    *(_ATEN.add.Tensor, _ATEN.sub.Tensor),
    *(_ATEN.mul.Tensor, _ATEN.div.Tensor),
    *(_ATEN.add.Scalar, _ATEN.sub.Scalar, _ATEN.mul.Scalar, _ATEN.div.Scalar),
    *(_ATEN.minimum.default, _ATEN.maximum.default),
}
"""Functions of one value, and constants, that a kernel applies to what it has computed. Batch norm
is one with the statistics of training."""

ADD = {_ATEN.add.Tensor}
"""A shortcut, which the kernel of a convolution adds."""

BINARY = {*ADD, _ATEN.mul.Tensor, _ATEN.sub.Tensor}
"""Kernels of two maps, as the gate of squeeze-and-excitation."""

AVERAGES = {
    _ATEN.avg_pool1d.default,
    _ATEN.avg_pool2d.default,
    _ATEN.adaptive_avg_pool1d.default,
    _ATEN.adaptive_avg_pool2d.default,
    _ATEN.mean.dim,
}
"""Their results spread less than what they average, so that these have a scale of their own."""

MOVES = {
    _ATEN.cat.default,
    _ATEN.concat.default,
    *(_ATEN.chunk.default, _ATEN.split.Tensor, _ATEN.split.sizes, _ATEN.split_with_sizes.default),
    *(_ATEN.tensor_split.sections, _ATEN.unbind.int, _ATEN.stack.default),
    *(_ATEN.slice.Tensor, _ATEN.select.int, _ATEN.narrow.default, _ATEN.index_select.default),
    *(_ATEN.view.default, _ATEN.reshape.default, _ATEN.flatten.using_ints),
    *(_ATEN.unflatten.int, _ATEN._unsafe_view.default),
    *(_ATEN.transpose.int, _ATEN.permute.default, _ATEN.movedim.int),
    *(_ATEN.squeeze.default, _ATEN.squeeze.dim, _ATEN.squeeze.dims, _ATEN.unsqueeze.default),
    *(_ATEN.contiguous.default, _ATEN.clone.default, _ATEN.expand.default),
    *(_ATEN.channel_shuffle.default, _ATEN.pixel_shuffle.default, _ATEN.pixel_unshuffle.default),
    *(_ATEN.max_pool1d.default, _ATEN.max_pool2d.default),
    *(_ATEN.upsample_nearest1d.vec, _ATEN.upsample_nearest2d.vec),
    *(_ATEN.upsample_nearest1d.default, _ATEN.upsample_nearest2d.default),
    *(_ATEN.constant_pad_nd.default, _ATEN.pad.default),
    *(_ATEN.reflection_pad1d.default, _ATEN.reflection_pad2d.default),
    *(_ATEN.replication_pad1d.default, _ATEN.replication_pad2d.default),
    *(_ATEN.dropout.default, _ATEN.feature_dropout.default),
}
"""Each element of the result is one of what is given: it keeps the scale, and the integer."""

_FEWEST = 3
"""Axes that an averaged map has: batch, channels, and those of places."""


def is_move(node: fx.Node) -> bool:
    """Tell whether a node only moves elements, or gets one of the parts that such a node made."""
    if getattr(node.target, "__name__", "") == "getitem" and isinstance(node.args[0], fx.Node):
        return is_move(node.args[0])
    if node.target not in MOVES:
        return False
    if node.target is _ATEN.constant_pad_nd.default:
        return _pads_zeros(node.args[2:])
    if node.target is _ATEN.pad.default:
        return len(node.args) < 3 or node.args[2] != "constant" or _pads_zeros(node.args[3:])
    return True


def is_elementwise(node: fx.Node) -> bool:
    """Tell whether a node is of `ELEMENTWISE`, as it computes in inference."""
    if node.target in _BATCH_NORMS:
        return node.args[3] is not None  # else the statistics are of what it is given
    return node.target in ELEMENTWISE


def is_average(node: fx.Node) -> bool:
    """Tell whether a node averages the places of a map, and neither channels nor pictures."""
    if node.target is not _ATEN.mean.dim:
        return node.target in AVERAGES
    source, axes = node.args[0], node.args[1]
    assert isinstance(source, fx.Node)
    rank = source.meta["val"].ndim
    return (
        rank >= _FEWEST
        and isinstance(axes, list | tuple)
        and {int(axis) % rank for axis in axes} == set(range(2, rank))  # type: ignore[arg-type]
    )


def is_float(node: fx.Node) -> bool:
    """Tell whether a node's value is a tensor of float32."""
    value: Any = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype == torch.float32


def is_held(node: fx.Node) -> bool:
    """Tell whether a node's value is a tensor of float32, or several, as what ``chunk`` makes."""
    value: Any = node.meta.get("val")
    each = value if isinstance(value, list | tuple) else [value]
    return all(isinstance(one, torch.Tensor) and one.dtype == torch.float32 for one in each)


def _pads_zeros(value: Any) -> bool:
    return not value or value[0] in (0, None)
