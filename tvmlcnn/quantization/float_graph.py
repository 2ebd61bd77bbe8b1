"""The graph of a network in float32, so that torchao's foldings compute what it does.

torchao folds each batch norm into the convolution before it, whether or not something else reads
that or another call has the same weights. Here calls get weights of their own, and what must not
be folded is kept apart by an ``alias``, which is taken away afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from tvmlcnn.frontend.torch_export import exported_program

_ATEN = torch.ops.aten
_ALIAS = _ATEN.alias.default
_DROPOUTS = {_ATEN.dropout.default, _ATEN.dropout_.default, _ATEN.feature_dropout.default}
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
    """
    graph = exported_program(module, inputs, keywords).module()
    assert isinstance(graph, fx.GraphModule)
    graph = copy.deepcopy(graph)
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
    readers: dict[str, int] = {}
    for node in model.graph.nodes:
        if node.target not in _FOLDED_INTO:
            continue
        for place, source in enumerate(node.args[1:3], 1):
            if not isinstance(source, fx.Node) or source.op != "get_attr":
                continue
            name = str(source.target)
            readers[name] = readers.get(name, 0) + 1
            if readers[name] == 1 and len(source.users) == 1:
                continue
            held = _attribute(model, name).detach().clone()
            fresh = f"{name.replace('.', '_')}_{readers[name]}_of_{node.name}"
            model.register_parameter(fresh, torch.nn.Parameter(held, requires_grad=False))
            with model.graph.inserting_before(node):
                own = model.graph.get_attr(fresh)
            own.meta = dict(source.meta)
            node.update_arg(place, own)
    model.graph.eliminate_dead_code()
    model.recompile()


def guard_batch_norms(model: fx.GraphModule) -> None:
    """Put an ``alias`` between a batch norm and what torchao must not fold it into."""
    for node in list(model.graph.nodes):
        if node.target is not _ATEN.batch_norm.default:
            continue
        source, _, _, mean, _, training = node.args[:6]
        if source.target not in _FOLDED_INTO:
            continue
        weights = [one for one in source.args[1:3] if isinstance(one, fx.Node)]
        grouped = source.target in _TRANSPOSED and [*source.args, 1][_GROUPS:][:1] != [1]
        if (
            len(source.users) > 1
            or mean is None
            or training
            or any(one.op != "get_attr" for one in [*weights, *_statistics(node)])
            or (grouped and len(source.args) > _GROUPS)
        ):
            with model.graph.inserting_after(source):
                alias = model.graph.call_function(_ALIAS, (source,))
            alias.meta = dict(source.meta)
            node.update_arg(0, alias)
    model.recompile()


def without_aliases(model: fx.GraphModule) -> None:
    """Take away what `guard_batch_norms` put in."""
    for node in list(model.graph.nodes):
        if node.target is _ALIAS:
            node.replace_all_uses_with(node.args[0])
            model.graph.erase_node(node)
    model.recompile()


def _statistics(node: fx.Node) -> list[fx.Node]:
    return [one for one in node.args[1:5] if isinstance(one, fx.Node)]


def _attribute(model: fx.GraphModule, name: str) -> torch.Tensor:
    path, _, last = name.rpartition(".")
    value = getattr(model.get_submodule(path), last)
    assert isinstance(value, torch.Tensor)
    return value
