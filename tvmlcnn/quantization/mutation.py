"""Operators that overwrite what they are given, as functions: bytes in between are copies."""

from __future__ import annotations

import operator

import torch
from torch import fx

_ATEN = torch.ops.aten
_NORM = _ATEN._native_batch_norm_legit_no_training.default


def functional(program: torch.export.ExportedProgram) -> fx.GraphModule:
    """Return the graph of a program, in which nothing is overwritten.

    Where a view is, or what is read afterwards, torch makes functions of all: batch norms then
    have other forms, and get theirs back.
    """
    model = _graph_of(program)
    replace_in_place(model)
    if any(map(_overwrites, model.graph.nodes)):
        model = _graph_of(program.run_decompositions({}))
        for node in list(model.graph.nodes):
            if node.target is _NORM and all(_is_first(user) for user in node.users):
                _restore_batch_norm(model.graph, node)
    model.recompile()
    return model


def replace_in_place(model: fx.GraphModule) -> None:
    """Replace operators that overwrite what only they read, as ``ReLU(inplace=True)``."""
    for node in model.graph.nodes:
        if not _overwrites(node) or not isinstance(node.args[0], fx.Node):
            continue
        name, overload = node.target._opname, node.target._overloadname
        plain = getattr(getattr(_ATEN, name[:-1], None), overload, None)
        given = node.args[0]
        if plain is not None and len(given.users) == 1 and not _is_view(given):
            node.target = plain
    model.recompile()


def _graph_of(program: torch.export.ExportedProgram) -> fx.GraphModule:
    model = program.module()
    assert isinstance(model, fx.GraphModule)
    return model


def _overwrites(node: fx.Node) -> bool:
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or target.namespace != "aten":
        return False
    return bool(target._schema.is_mutable) and str(target._opname).endswith("_")


def _is_view(node: fx.Node) -> bool:
    """Tell whether a value may be part of another one, which is overwritten with it."""
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return node.op != "placeholder"
    # What no schema says: these return what they are given where they can.
    if node.target._opname in ("reshape", "contiguous", "flatten", "dropout", "to"):
        return True
    if _overwrites(node):  # its result is itself: what it was given was looked at
        return False
    return any(one.alias_info is not None for one in node.target._schema.returns)


def _is_first(node: fx.Node) -> bool:
    return node.target is operator.getitem and bool(node.args[1] == 0)


def _restore_batch_norm(graph: fx.Graph, node: fx.Node) -> None:
    *tensors, momentum, eps = node.args
    with graph.inserting_before(node):
        norm = graph.call_function(
            _ATEN.batch_norm.default, (*tensors, False, momentum, eps, False)
        )
    for user in list(node.users):
        norm.meta = dict(user.meta)
        user.replace_all_uses_with(norm)
        graph.erase_node(user)
    graph.erase_node(node)
