"""Which layer of the torch module a node of its graph is of."""

from __future__ import annotations

from torch import fx

from .decompositions import name_of


class Layers:
    """The layers of a graph.

    A layer is a module that calls no other one, by its path: ``features.3.conv``. What a module
    computes besides its children is told by the operator: ``features.3:add``.
    """

    def __init__(self, graph: fx.Graph) -> None:
        nodes = [node for node in graph.nodes if node.op == "call_function"]
        parents = {path.rpartition(".")[0] for path in map(_path, nodes)}
        parents |= {
            path[:end] for path in list(parents) for end, sign in enumerate(path) if sign == "."
        }
        self._parents = parents

    def of(self, node: fx.Node) -> str:
        """Return the layer that a node is of."""
        path = _path(node)
        if path and path not in self._parents:
            return path
        operator = name_of(node.target).partition(".")[0].strip("_")
        return f"{path}:{operator}" if path else operator


def _path(node: fx.Node) -> str:
    """Return the path of the innermost module that the node is of; empty for the network."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return ""
    # torch marks the second call of a module with "@1".
    path = str(stack[-1][0]).partition("@")[0]
    around = getattr(stack[0][1], "__name__", str(stack[0][1]))
    if around.rpartition(".")[2] == "OfFrames":  # whose child is what the user knows
        path = path.removeprefix("network").removeprefix(".")
    return path
