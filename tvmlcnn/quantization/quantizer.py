"""The quantizer that says what our integer kernels take, for torchao's PT2E.

Activations are unsigned bytes with one scale and zero point a tensor, weights signed bytes with a
scale for each output channel and no zero point, biases float32; all are static.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from typing import Any

from torch import fx
from torchao.quantization.pt2e.quantizer import (
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
    SharedQuantizationSpec,
)
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from .equalization import equalize
from .frames import is_of_bytes
from .layers import Layer, named
from .operators import is_float
from .units import Unit, Units


class KernelQuantizer(Quantizer):
    """Annotates the units of a graph.

    A convolution or product takes and gives bytes, whatever surrounds it. Everything else does
    where it stands between such ones: what would only turn floats into bytes and back, as an
    average whose result the network returns, stays float32.

    Parameters
    ----------
    activation, weight : QuantizationSpec
    kept : collection of str
        Names of nodes whose units stay float32.
    observed : sequence of sequence of torch.Tensor
        Inputs that the channels of maps are equalized for; without any they are not.
    dense : QuantizationSpec, optional
        Of weights that several channels are multiplied by; by default that of all.

    Attributes
    ----------
    layers : list of Layer
        What was annotated.
    units : Units
        Of a copy of the graph as it was then; nodes are known by their names.
    """

    def __init__(
        self,
        activation: QuantizationSpec,
        weight: QuantizationSpec,
        kept: Collection[str] = (),
        observed: Sequence[Sequence[Any]] = (),
        dense: QuantizationSpec | None = None,
    ) -> None:
        super().__init__()
        self._observed = observed
        self.activation = activation
        self.weight, self.dense = weight, dense or weight
        self.kept = frozenset(kept)
        self.layers: list[Layer] = []

    def transform_for_annotation(self, model: fx.GraphModule) -> fx.GraphModule:
        """Equalize the graph, whose batch norms were folded by now."""
        if self._observed:
            equalize(model, self._observed)
        return model

    def annotate(self, model: fx.GraphModule) -> fx.GraphModule:
        """Note on each node of a unit what of it is quantized."""
        self.units = Units(copy.deepcopy(model.graph))
        units = Units(model.graph)
        taking, giving = quantized_units(units, self.kept)
        self.layers = named(model.graph, [unit for unit in units.all if unit in taking])
        for unit in units.all:
            if unit in taking:
                self._annotate(units, unit, unit in giving)
        return model

    def validate(self, model: fx.GraphModule) -> None:
        """Do nothing: what is annotated is what kernels take."""

    def _annotate(self, units: Units, unit: Unit, gives: bool) -> None:
        inner = set(unit.nodes)
        for node in unit.nodes:
            node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(_annotated=True)
        if unit.is_move:
            self._annotate_move(units, unit.root)
            return
        for node in unit.nodes:
            taken = node.meta[Q_ANNOTATION_KEY].input_qspec_map
            for source in node.all_input_nodes:
                is_shortcut = unit.is_weighted and node is not unit.root
                if source in inner or units.is_constant(source) or (is_shortcut and not gives):
                    continue
                if is_of_bytes(source):
                    continue
                taken[source] = self._as_given(units.of.get(source), source)
        if unit.is_weighted:
            weight = unit.root.args[1]
            assert isinstance(weight, fx.Node)
            several = weight.meta["val"].shape[1] > 1
            spec = self.dense if several else self.weight
            unit.root.meta[Q_ANNOTATION_KEY].input_qspec_map[weight] = spec
        if gives:
            unit.end.meta[Q_ANNOTATION_KEY].output_qspec = self.activation

    def _as_given(self, giver: Unit | None, source: fx.Node) -> Any:
        """Return how a unit takes what another gives; what was moved keeps its scale."""
        moved = giver is not None and giver.is_move
        if moved and Q_ANNOTATION_KEY in source.meta:
            return SharedQuantizationSpec(_moved(source))
        return self.activation

    def _annotate_move(self, units: Units, node: fx.Node) -> None:
        """Have what a node moves, and what it gives, share one scale."""
        annotation = node.meta[Q_ANNOTATION_KEY]
        given = [one for one in node.all_input_nodes if is_float(one)]
        # What varies goes before constants, which are observed alike.
        given.sort(key=units.is_constant)
        for source in given:
            first = SharedQuantizationSpec((given[0], node))
            annotation.input_qspec_map[source] = self.activation if source is given[0] else first
        if is_float(node):
            annotation.output_qspec = SharedQuantizationSpec(_moved(node))


def quantized_units(units: Units, kept: Collection[str] = ()) -> tuple[set[Unit], set[Unit]]:
    """Return the units that take bytes, and those of them that give bytes."""
    taking = {unit for unit in units.all if not any(node.name in kept for node in unit.nodes)}
    while True:
        giving = _giving(units, taking)
        gone = {unit for unit in taking if not unit.is_weighted and unit not in giving}
        supplied = taking - gone
        for unit in units.all:
            if unit in supplied and not unit.is_weighted:
                sources = {units.of.get(source) for source in units.inputs(unit)}
                if not sources & supplied:
                    supplied.discard(unit)
        if supplied == taking:
            return taking, giving
        taking = supplied


def _giving(units: Units, taking: Collection[Unit]) -> set[Unit]:
    """Return the units whose result something takes as bytes.

    The shortcut that a convolution adds is taken as bytes only where it gives bytes: else it may
    be as exact as what it is added to.
    """
    giving: set[Unit] = set()
    for unit in reversed(units.all):
        for user in unit.end.users:
            other = units.of.get(user)
            if (
                other is not None
                and other in taking
                and (not other.is_weighted or user is other.root or other in giving)
            ):
                giving.add(unit)
    return giving


def _moved(node: fx.Node) -> tuple[fx.Node, fx.Node]:
    """Return the edge that has the scale of what a node gives."""
    mover = node
    while not any(is_float(one) for one in mover.all_input_nodes):
        (mover,) = mover.all_input_nodes
    return next(iter(mover.meta[Q_ANNOTATION_KEY].input_qspec_map)), mover
