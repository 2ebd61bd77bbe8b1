"""Sizes that torch leaves open though they are known: of what a constant mask leaves."""

from __future__ import annotations

from typing import Any

import sympy
import torch
from torch import fx


def known_sizes(graph: fx.Graph, known: dict[fx.Node, Any]) -> dict[fx.Node, int] | None:
    """Say the sizes of a graph's tensors as numbers where masks that are known decide them.

    Torch gives what ``x[mask]`` returns a size of its own symbol, a parameter's mask no less.

    Parameters
    ----------
    graph : torch.fx.Graph
        Its nodes' ``meta["val"]`` are replaced.
    known : dict
        The values of nodes that do not depend on an input.

    Returns
    -------
    dict or None
        The numbers, by the nodes that ask for such a size; None where there is no such mask.
    """
    sizes: dict[sympy.Symbol, int] = {}
    for node in graph.nodes:
        if node.target is torch.ops.aten.index.Tensor:
            sizes.update(_of_mask(node, known))
    if not sizes:
        return None
    found: dict[fx.Node, int] = {}
    for node in graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.SymInt):
            if (number := _number(value, sizes)) is not None:
                found[node] = number
        elif isinstance(value, torch.Tensor):
            numbers = [_number(size, sizes) for size in value.shape]
            shape = [number for number in numbers if number is not None]
            if len(shape) == len(numbers) and any(isinstance(n, torch.SymInt) for n in value.shape):
                node.meta["val"] = torch.empty(shape, dtype=value.dtype, device="meta")
    return found


def _of_mask(node: fx.Node, known: dict[fx.Node, Any]) -> dict[sympy.Symbol, int]:
    """Return how many elements the mask of an index has, by the symbol that torch has for it."""
    masks = [
        known[index]
        for index in node.args[1]  # type: ignore[union-attr]
        if isinstance(index, fx.Node) and isinstance(known.get(index), torch.Tensor)
    ]
    masks = [mask for mask in masks if mask.dtype == torch.bool]
    symbols = [size.node.expr for size in node.meta["val"].shape if isinstance(size, torch.SymInt)]
    if len(masks) != 1 or len(symbols) != 1 or not isinstance(symbols[0], sympy.Symbol):
        return {}
    return {symbols[0]: int(masks[0].sum())}


def _number(size: Any, sizes: dict[sympy.Symbol, int]) -> int | None:
    """Return a size in numbers; None where it still depends on the input."""
    if not isinstance(size, torch.SymInt):
        return int(size)
    expression = size.node.expr.subs(sizes)
    return int(expression) if expression.is_number else None
