"""Running a network in float32 and in integers, to compare what they compute on the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import fx

from .quantizer import quantized_units
from .units import Units

_Q = torch.ops.quantized_decomposed
QUANTIZE = _Q.quantize_per_tensor.default
DEQUANTIZE = _Q.dequantize_per_tensor.default
DEQUANTIZE_WEIGHT = _Q.dequantize_per_channel.default


class Exact(fx.Interpreter):
    """Runs a network that was prepared, and observes nothing.

    Parameters
    ----------
    prepared : torch.fx.GraphModule
    wanted : collection of str
        Names of nodes.

    Attributes
    ----------
    values : dict of str to torch.Tensor
        What these nodes gave in the last run.
    """

    def __init__(self, prepared: fx.GraphModule, wanted: Collection[str]) -> None:
        super().__init__(prepared)
        self._wanted = set(wanted)
        self.values: dict[str, torch.Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Return what a node gives; an observer gives what it is given."""
        if n.op == "call_module":
            return self.env[n.args[0]]  # type: ignore[index]
        result = super().run_node(n)
        if n.name in self._wanted:
            self.values[n.name] = result
        return result


class Converted(fx.Interpreter):
    """Runs a converted network, whose weights are dequantized the first time alone.

    Parameters
    ----------
    converted : torch.fx.GraphModule
    weights : dict, optional
        Those that were dequantized, by their nodes; runs of one network can share it.
    """

    def __init__(
        self, converted: fx.GraphModule, weights: dict[fx.Node, torch.Tensor] | None = None
    ) -> None:
        super().__init__(converted)
        self._dequantized = {} if weights is None else weights

    def run_node(self, n: fx.Node) -> Any:
        """Return what a node gives."""
        if n.target is not DEQUANTIZE_WEIGHT:
            return super().run_node(n)
        if n not in self._dequantized:
            self._dequantized[n] = super().run_node(n)
        return self._dequantized[n]


class Local(Converted):
    """Runs each unit of a converted network on what float32 gives it.

    Attributes
    ----------
    errors : dict of str to list of float
        By the name of the node that a unit ends with: the energy of the exact result, and of the
        difference.
    """

    def __init__(self, converted: fx.GraphModule, exact: Exact) -> None:
        super().__init__(converted)
        self._exact = exact
        self.errors: dict[str, list[float]] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Return float32's result of a unit, and note how far that of integers is from it."""
        result = super().run_node(n)
        exact = self._exact.values.get(n.name)
        if exact is None:
            return result
        sums = self.errors.setdefault(n.name, [0.0, 0.0])
        sums[0] += float(exact.double().square().sum())
        sums[1] += float((exact - result).double().square().sum())
        return exact


class Partial(Converted):
    """Runs a converted network as if some of its units had stayed float32.

    Parameters
    ----------
    converted : torch.fx.GraphModule
    units : Units
        Of the graph before it was prepared.
    weights : mapping of str to torch.Tensor
        In float32, by the names of the nodes that take them.
    """

    def __init__(
        self, converted: fx.GraphModule, units: Units, weights: Mapping[str, torch.Tensor]
    ) -> None:
        super().__init__(converted)
        self._units = units
        self._weights = weights
        self._given: dict[fx.Node, torch.Tensor] = {}
        self.keep(())

    def keep(self, names: Collection[str]) -> None:
        """Say which units are to be computed in float32, by names of their nodes."""
        taking, giving = quantized_units(self._units, names)
        self._taking = {node.name for unit in taking for node in unit.nodes}
        self._giving = {unit.end.name for unit in giving}

    def run_node(self, n: fx.Node) -> Any:
        """Return what a node gives; to units in float32, what is not quantized for others."""
        if n.target is QUANTIZE:
            self._given[n] = self.env[n.all_input_nodes[0]]
        taker = next(iter(n.users), None)
        if taker is not None and taker.name not in self._taking:
            if n.target is DEQUANTIZE:
                (source,) = n.all_input_nodes
                if source.all_input_nodes[0].name not in self._giving:
                    return self._given[source]
            if n.target is DEQUANTIZE_WEIGHT and taker.name in self._weights:
                return self._weights[taker.name]
        return super().run_node(n)
