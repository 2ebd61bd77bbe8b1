"""What depends on parameters and buffers alone is computed when compiling, by torch itself.

Standardized and reparametrized weights, spectral norms, tables of positions and anchors are
expressions in torch's graph; a device should not compute them with each call. Tensors without
elements are known too, and what depends on them alone: no kernel has to be for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from .aten import KEPT
from .decompositions import name_of

BY_SHAPE = frozenset(
    {
        "full_like.default",
        "ones_like.default",
        "zeros_like.default",
        "empty_like.default",
        "new_full.default",
        "new_zeros.default",
        "new_ones.default",
        "new_empty.default",
    }
)
"""Operators that only read the shape and the element type of their first argument."""

_RANDOM = torch.Tag.nondeterministic_seeded


def known_values(graph: fx.Graph, given: Mapping[fx.Node, Any]) -> dict[fx.Node, Any]:
    """Return the values of all nodes that do not depend on an input.

    Parameters
    ----------
    graph : torch.fx.Graph
        Of functional operators.
    given : dict
        The values of parameters, buffers and constants, and sizes that are known.

    Returns
    -------
    dict
        Tensors, or tuples of them, by node; those of ``given`` among them.
    """
    values: dict[fx.Node, Any] = dict(given)
    for node in graph.nodes:
        empty = _without_elements(node.meta.get("val"))
        if empty is not None:
            values[node] = empty
            continue
        if node.op != "call_function" or _RANDOM in getattr(node.target, "tags", ()):
            continue
        if name_of(node.target) in KEPT:
            continue
        arguments, keywords = node.args, node.kwargs
        if name_of(node.target) in BY_SHAPE:
            like = node.args[0].meta["val"]
            arguments = (torch.empty(like.shape, dtype=like.dtype), *arguments[1:])
        needed: list[fx.Node] = []
        fx.node.map_arg((arguments, keywords), needed.append)
        if any(argument not in values for argument in needed):
            continue
        arguments, keywords = fx.node.map_arg((arguments, keywords), values.__getitem__)
        with torch.no_grad():
            values[node] = node.target(*arguments, **keywords)
    return values


def _without_elements(value: object) -> torch.Tensor | None:
    """Return a tensor like one that has no elements, None for all else."""
    if not isinstance(value, torch.Tensor):
        return None
    if any(isinstance(n, torch.SymInt) for n in value.shape) or value.numel():
        return None
    return torch.empty(value.shape, dtype=value.dtype)
