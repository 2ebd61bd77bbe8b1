"""Networks that take frames of bytes: their first convolution takes the bytes themselves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import fx

import tvmlcnn.frontend.frames  # noqa: F401 - its operator is to be known

_ATEN = torch.ops.aten
_CONVOLUTIONS = {_ATEN.conv2d.default, _ATEN.conv2d.padding}
_CENTRED = torch.ops.tvmlcnn.centred.default
_PADDING, _GROUPS = 4, 6
"""Places of a convolution's arguments."""
_WHITE = 255
_HALF = 0.5 + 1e-4
"""A step of pixels, and what rounding adds to it."""


def take_bytes(model: fx.GraphModule, kept: Collection[str]) -> None:
    """Have convolutions of normalized frames be ones of bytes.

    ``x * scale + shift`` of a byte x is ``(x - zero + rest) * scale`` with an integer ``zero`` for
    each channel. The scale goes into the weights and the rest into the bias; what is left is a
    byte with a code that stands for zero, which lies around the maps too. That is exact but for
    taps in the padding, where the bias has the rest, at most half a step of a pixel, too much.

    Parameters
    ----------
    model : torch.fx.GraphModule
        In float32; its convolutions have weights of their own.
    kept : collection of str
        Names of nodes that stay as they are.
    """
    for node in list(model.graph.nodes):
        found = _normalized_bytes(node)
        if found is not None and node.name not in kept:
            _fold(model, node, *found)
    model.graph.eliminate_dead_code()
    model.recompile()


def is_of_bytes(node: fx.Node) -> bool:
    """Tell whether a value in float32 is made of bytes without being computed: it is exact."""
    if node.target is _CENTRED:
        return True
    if node.target not in (_ATEN.to.dtype, _ATEN._to_copy.default):
        return False
    return node.all_input_nodes[0].meta["val"].dtype in (torch.uint8, torch.int8)


def _normalized_bytes(node: fx.Node) -> tuple[fx.Node, fx.Node, fx.Node] | None:
    """Return the frames, the scale and the shift of a convolution's input that is made so."""
    found: list[Any] = []
    value: Any = node.args[0] if node.target in _CONVOLUTIONS else None
    for target in (_ATEN.add.Tensor, _ATEN.mul.Tensor, _ATEN.to.dtype, _ATEN.permute.default):
        if getattr(value, "target", None) is not target:
            return None
        value, *others = value.args
        found += others
    shift, scale, _, axes = found
    if list(axes) != [0, 3, 1, 2] or value.meta["val"].dtype != torch.uint8:
        return None
    if any(getattr(one, "op", None) != "get_attr" for one in (shift, scale)):
        return None
    return value, scale, shift


def _fold(
    model: fx.GraphModule, node: fx.Node, frame: fx.Node, scale: fx.Node, shift: fx.Node
) -> None:
    arguments: dict[int, Any] = dict(enumerate(node.args))
    before, kernel, bias = (arguments.get(place) for place in range(3))
    assert before is not None
    if getattr(kernel, "op", None) != "get_attr":
        return  # it is computed
    weight = _held(model, kernel).double()
    factor, offset = (_held(model, one).double().reshape(-1) for one in (scale, shift))
    mean = (-offset / factor).numpy()
    zeros = np.clip(np.round(mean), 0, _WHITE)
    padding, groups = arguments.get(_PADDING, 0), arguments.get(_GROUPS, 1)
    padded = padding != "valid" if isinstance(padding, str) else bool(np.any(padding))
    if padded and np.abs(zeros - mean).max() > _HALF:
        return  # no byte stands for zero
    by_group, places = (groups, -1, *weight.shape[1:]), (groups, 1, -1, 1, 1)
    wide = weight.reshape(by_group) * factor.reshape(places)
    rest = torch.from_numpy(zeros - mean).reshape(places)
    total = (wide * rest).sum((2, 3, 4)).reshape(-1)
    if bias is not None:
        total = total + _held(model, bias).double()
    with model.graph.inserting_before(node):
        made = model.graph.call_function(_CENTRED, (frame, [int(zero) for zero in zeros]))
        made.meta = dict(before.meta)
        for place, value in ((1, wide.reshape(weight.shape)), (2, total)):
            name = f"_bytes_{place}_of_{node.name}"
            model.register_parameter(name, torch.nn.Parameter(value.float(), False))
            held = model.graph.get_attr(name)
            held.meta = {"val": before.meta["val"].new_empty(value.shape)}
            arguments[place] = held
    node.args = (made, *(arguments[place] for place in range(1, len(arguments))))


def _held(model: fx.GraphModule, node: Any) -> torch.Tensor:
    value: Any = model
    for part in str(node.target).split("."):
        value = getattr(value, part)
    return value.detach()
