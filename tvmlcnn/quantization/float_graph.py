"""The graph of a network in float32, so that torchao's foldings compute what it does.

torchao folds each batch norm into the convolution before it, whether or not something else reads
that or another call has the same weights. Here calls get weights of their own, and a batch norm
that must not be folded becomes a `lone_batch_norm`, which torchao does not know.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from tvmlcnn.errors import UserError
from tvmlcnn.frontend.aten.quantization import LIBRARY
from tvmlcnn.frontend.decompositions import name_of
from tvmlcnn.frontend.torch_export import exported_program

from .mutation import functional
from .operators import lone_batch_norm

_ATEN = torch.ops.aten
_DROPOUTS = {_ATEN.dropout.default, _ATEN.feature_dropout.default}
_TRANSPOSED = {
    _ATEN.conv_transpose1d.default,
    _ATEN.conv_transpose2d.input,
    _ATEN.conv_transpose3d.input,
}
_FOLDED_INTO = _TRANSPOSED | {
    _ATEN.conv1d.default,
    _ATEN.conv1d.padding,
    _ATEN.conv2d.default,
    _ATEN.conv2d.padding,
    _ATEN.conv3d.default,
    _ATEN.conv3d.padding,
    _ATEN.linear.default,
}
_GROUPS = 6
"""Place of a transposed convolution's groups among its arguments."""


def float_graph(
    module: torch.nn.Module, inputs: tuple[Any, ...], keywords: Mapping[str, Any]
) -> fx.GraphModule:
    """Return the graph of a module in evaluation mode, which shares no weight with it.

    What torch raises where it cannot export the module is passed on.

    Raises
    ------
    UserError
        If the module is quantized as it is.
    """
    program = exported_program(module, inputs, keywords)
    if any(name_of(node.target).startswith(f"{LIBRARY}.") for node in program.graph.nodes):
        raise UserError(
            "the network is quantized already; it is compiled as it is where no dtype is given",
            parameters=("dtype",),
        )
    graph = copy.deepcopy(functional(program))
    for parameter in graph.parameters():
        parameter.requires_grad_(False)
    own_weights(graph)
    guard_batch_norms(graph)
    for node in list(graph.graph.nodes):
        if node.target in _DROPOUTS and node.args[2] is False:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.recompile()
    return graph


def own_weights(model: fx.GraphModule) -> None:
    """Give each convolution and product weights that nothing else reads."""
    held = dict(model.named_parameters(remove_duplicate=False)) | dict(
        model.named_buffers(remove_duplicate=False)
    )
    seen: set[int] = set()
    for node in list(model.graph.nodes):
        if node.target not in _FOLDED_INTO:
            continue
        for place, source in enumerate(node.args[1:3], 1):
            if not isinstance(source, fx.Node) or str(source.target) not in held:
                continue
            value = held[str(source.target)]
            if len(source.users) == 1 and id(value) not in seen:
                seen.add(id(value))
                continue
            name = f"{str(source.target).replace('.', '_')}_of_{node.name}"
            model.register_parameter(name, torch.nn.Parameter(value.detach().clone(), False))
            with model.graph.inserting_before(node):
                own = model.graph.get_attr(name)
            own.meta = dict(source.meta)
            node.update_arg(place, own)
    model.graph.eliminate_dead_code()
    model.recompile()


def guard_batch_norms(model: fx.GraphModule) -> None:
    """Keep batch norms from torchao that it must not, or cannot, fold into what is before them."""
    for node in model.graph.nodes:
        if node.target is _ATEN.batch_norm.default and not _can_be_folded(node):
            node.target = lone_batch_norm
    model.recompile()


def _can_be_folded(norm: fx.Node) -> bool:
    before, mean, training = norm.args[0], norm.args[3], norm.args[5]
    assert isinstance(before, fx.Node)
    if before.target not in _FOLDED_INTO or len(before.users) > 1 or mean is None or training:
        return False
    read = [one for one in [*before.args[1:3], *norm.args[1:5]] if isinstance(one, fx.Node)]
    # torchao scales the wrong axis of grouped weights that are transposed.
    grouped = before.target in _TRANSPOSED and before.args[_GROUPS:][:1] not in ((), (1,))
    return not grouped and all(one.op == "get_attr" for one in read)
