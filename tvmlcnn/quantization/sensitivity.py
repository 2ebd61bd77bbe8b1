"""Which layers stay float32, since integers lose too much in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx
from torch.utils import _pytree as pytree
from torchao.quantization.pt2e.observer import UniformQuantizationObserverBase

from .fidelity import decibels
from .layers import Layer
from .lockstep import DEQUANTIZE_WEIGHT, Exact, Local, Partial
from .quantizer import KernelQuantizer

ENOUGH = 10.0
"""dB of the outputs' signal-to-noise ratio, biases uncorrected, from which on no layer is doubted.

At 10 dB mobilenet_v2 with ImageNet's weights keeps the best class for 46 of 47 crops of photos that
have it ten points ahead; as it is quantized here it has 16.
"""
_GAIN = 1.0
"""dB that a layer must bring to be kept in float32, where it takes longer."""
_CANDIDATES = 8
"""Layers that are tried, the worst by themselves."""


def ratios(
    exact: Exact, converted: fx.GraphModule, found: Sequence[Layer], inputs: Sequence[Sequence[Any]]
) -> dict[str, float]:
    """Return each layer's own signal-to-noise ratio in dB, by the name of the node it ends with."""
    local = Local(converted, exact)
    for each in inputs:
        exact.run(*each)
        local.run(*each)
    return {layer.unit.end.name: decibels(*local.errors[layer.unit.end.name]) for layer in found}


def unbounded(prepared: fx.GraphModule, found: Sequence[Layer]) -> list[Layer]:
    """Return the layers that take or give what has no range, as masks of minus infinity.

    Parameters
    ----------
    prepared : torch.fx.GraphModule
        A network with observers that have seen its inputs.
    found : sequence of Layer
        Its layers that were annotated.
    """
    beside: set[str] = set()
    modules = dict(prepared.named_modules())
    for node in prepared.graph.nodes:
        observer = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(observer, UniformQuantizationObserverBase) and not _has_range(observer):
            beside.update(other.name for other in (*node.all_input_nodes, *node.users))
    return [layer for layer in found if any(node.name in beside for node in layer.unit.nodes)]


def _has_range(observer: Any) -> bool:
    """Tell whether the steps between the values that an observer saw are finite numbers."""
    least, most = observer.min_val, observer.max_val
    return not least.numel() or bool(torch.isfinite(most - least).all())


def kept_by_error(
    exact: Exact,
    converted: fx.GraphModule,
    quantizer: KernelQuantizer,
    own: Mapping[str, float],
    inputs: Sequence[Sequence[Any]],
) -> list[Layer]:
    """Return the layers that a network needs in float32 to give enough of what it did.

    Those that are worst by themselves are tried one after the other, and one stays that makes the
    outputs better by `_GAIN`, until these are good `ENOUGH`.
    """
    weights = {
        node.name: _float_weight(exact.module, node.name)
        for node in converted.graph.nodes
        if len(node.args) > 1
        and isinstance(node.args[1], fx.Node)
        and node.args[1].target is DEQUANTIZE_WEIGHT
    }
    partial = Partial(converted, quantizer.units, weights)
    expected = [_outputs(exact.run(*each)) for each in inputs]

    def quality(kept: Sequence[Layer]) -> float:
        names = {node.name for layer in kept for node in layer.unit.nodes}
        partial.keep(names | quantizer.kept)
        signal = noise = 0.0
        for each, wanted in zip(inputs, expected, strict=True):
            for ours, theirs in zip(_outputs(partial.run(*each)), wanted, strict=True):
                signal += float(theirs.double().square().sum())
                noise += float((theirs - ours).double().square().sum())
        return decibels(signal, noise)

    kept: list[Layer] = []
    best = quality(kept)
    for layer in sorted(quantizer.layers, key=lambda one: own[one.unit.end.name])[:_CANDIDATES]:
        if best >= ENOUGH:
            break
        with_it = quality([*kept, layer])
        if with_it >= best + _GAIN:
            kept, best = [*kept, layer], with_it
    return kept


def _float_weight(prepared: Any, name: str) -> torch.Tensor:
    """Return the weight that a node of a prepared network takes, before it is observed."""
    node = next(node for node in prepared.graph.nodes if node.name == name).args[1]
    while node.op == "call_module":
        node = node.args[0]
    value = prepared
    for part in str(node.target).split("."):
        value = getattr(value, part)
    return value


def _outputs(result: Any) -> list[torch.Tensor]:
    leaves = pytree.tree_leaves(result)
    return [one for one in leaves if isinstance(one, torch.Tensor) and one.is_floating_point()]
