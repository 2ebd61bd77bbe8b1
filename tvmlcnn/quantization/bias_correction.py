"""Biases that take away what quantizing adds to the mean of each channel.

Section 4.2 of Nagel et al. 2019, arXiv:1906.04721, with means of real inputs: a weight that is
rounded is off for all pixels alike, most so in a depthwise convolution, which sums few of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import fx

from .lockstep import DEQUANTIZE_WEIGHT, Converted

_PLACES = {"conv1d": 1, "conv2d": 2}
"""Axes that follow that of the channels; a product has none."""


def correct_biases(
    converted: fx.GraphModule, means: dict[str, torch.Tensor], inputs: Sequence[Sequence[Any]]
) -> None:
    """Correct the biases of a converted network, one layer after the other.

    All inputs go through the network side by side, so that a layer is corrected for what the
    corrected ones before it give.

    Parameters
    ----------
    converted : torch.fx.GraphModule
    means : dict of str to torch.Tensor
        Of each channel of the convolutions' and products' results in float32, by their nodes.
    inputs : sequence of sequence of torch.Tensor
        In the order of the network's placeholders.
    """
    weights: dict[fx.Node, torch.Tensor] = {}
    runs = [_Run(converted, weights, each) for each in inputs]
    last_use = {source: node for node in converted.graph.nodes for source in node.all_input_nodes}
    for node in converted.graph.nodes:
        if node.op == "output":
            return
        for run in runs:
            run.values[node] = run.run_node(node)
        if node.name in means and node.args[1].target is DEQUANTIZE_WEIGHT:
            found = torch.stack([channel_means(node, run.values[node]) for run in runs]).mean(0)
            shift = means[node.name] - found
            bias = node.args[2] if len(node.args) > 2 else None
            held = runs[0].values[bias] if bias is not None else 0
            _set_bias(converted, node, held + shift)
            shape = [-1, *[1] * _places(node)]
            for run in runs:
                run.values[node] = run.values[node] + shift.reshape(shape)
        for source in set(node.all_input_nodes):
            if last_use.get(source) is node:
                for run in runs:
                    run.values.pop(source, None)


def channel_means(node: fx.Node, value: torch.Tensor) -> torch.Tensor:
    """Return the mean of each output channel of a convolution or product."""
    axis = value.ndim - 1 - _places(node)
    return value.movedim(axis, 0).flatten(1).mean(1)


def _places(node: fx.Node) -> int:
    """Return how many axes follow that of the channels."""
    name = str(node.target)
    return next((places for kind, places in _PLACES.items() if kind in name), 0)


class _Run(Converted):
    """A run of one input that goes a node at a time."""

    def __init__(
        self,
        model: fx.GraphModule,
        weights: dict[fx.Node, torch.Tensor],
        inputs: Iterable[Any],
    ) -> None:
        super().__init__(model, weights)
        self.values = self.env
        self.args_iter = iter(inputs)


def _set_bias(model: fx.GraphModule, node: fx.Node, bias: torch.Tensor) -> None:
    """Give a node a bias of its own."""
    name = f"_bias_of_{node.name}"
    model.register_buffer(name, bias)
    with model.graph.inserting_before(node):
        node.args = (*node.args[:2], model.graph.get_attr(name), *node.args[3:])
