"""Which layers quantizing and dequantizing nodes are of."""

from __future__ import annotations

from torch import fx

from .lockstep import DEQUANTIZE, DEQUANTIZE_WEIGHT, QUANTIZE


def name_after_layers(graph: fx.Graph) -> None:
    """Have what quantizes a value be of the layer that makes it, and its opposite of who takes it.

    torchao makes them of the whole network.
    """
    for node in graph.nodes:
        if node.target is QUANTIZE:
            layer = node.args[0]
        elif node.target in (DEQUANTIZE, DEQUANTIZE_WEIGHT):
            layer = next(iter(node.users), None)
        else:
            continue
        if layer is not None and "nn_module_stack" in layer.meta:
            node.meta["nn_module_stack"] = layer.meta["nn_module_stack"]
