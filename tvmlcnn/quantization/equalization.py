"""Channels of a map brought to one range, where what reads them is a depthwise convolution.

A positive factor goes through ReLU. So the convolution before may give each channel larger by some
factor, and the depthwise one after it take it smaller: that costs nothing, since both have a scale
for each channel's weights, and the map, which has one scale for all channels, is told more finely.
It is cross-layer equalization (section 4.1 of Nagel et al. 2019, arXiv:1906.04721) for the pairs of
layers where weights lose nothing. Under ReLU6 a channel may grow until it reaches 6 for an input
that was observed; what exceeds it later is clipped, as it would be by the bytes' range.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from .operators import WEIGHTED
from .units import Unit, Units

_ATEN = torch.ops.aten
_HOMOGENEOUS = {_ATEN.relu.default, _ATEN.prelu.default, _ATEN.leaky_relu.default}
_GROUPS = 6
"""Place of a convolution's groups among its arguments."""
_MOST = 16.0
"""Largest factor: a channel that is hardly ever more than nothing was observed too little."""


def equalize(model: fx.GraphModule, inputs: Sequence[Sequence[Any]]) -> int:
    """Bring the channels before depthwise convolutions to one range, and return how many maps.

    Parameters
    ----------
    model : torch.fx.GraphModule
        In float32, batch norms folded; its weights are changed, and what it computes is not.
    inputs : sequence of sequence of torch.Tensor
        To observe ranges on.
    """
    units = Units(model.graph)
    pairs = [pair for unit in units.all if (pair := _pair(units, unit)) is not None]
    ranges = _Ranges(model, [first.end for first, _ in pairs])
    for each in inputs:
        ranges.run(*each)
    for first, second in pairs:
        factors = _factors(ranges.most[first.end], _bound(first))
        _scale(model, first.root.args[1], factors)
        if len(first.root.args) > 2 and first.root.args[2] is not None:
            _scale(model, first.root.args[2], factors)
        weight = _held(model, second.root.args[1])
        _scale(
            model, second.root.args[1], 1 / factors.repeat_interleave(len(weight) // len(factors))
        )
    return len(pairs)


def _pair(units: Units, unit: Unit) -> tuple[Unit, Unit] | None:
    """Return a unit and the depthwise one after it, where factors go from one to the other."""
    if not unit.is_weighted or unit.sums or len(unit.end.users) != 1 or len(unit.nodes) > 2:
        return None
    if len(unit.nodes) > 1 and _bound(unit) is None:
        return None
    (reader,) = unit.end.users
    after = units.of.get(reader)
    if after is None or reader is not after.root or reader.target not in WEIGHTED:
        return None
    channels = unit.end.meta["val"].shape[1]
    is_depthwise = len(reader.args) > _GROUPS and reader.args[_GROUPS] == channels
    constants = [*unit.root.args[1:3], reader.args[1]]
    plain = all(one.op == "get_attr" for one in constants if isinstance(one, fx.Node))
    return (unit, after) if is_depthwise and channels > 1 and plain else None


def _bound(unit: Unit) -> float | None:
    """Return where the activation of a unit clips; None where no factor goes through it."""
    act = unit.nodes[-1]
    if act is unit.root or act.target in _HOMOGENEOUS:
        return float("inf")
    if act.target is _ATEN.relu6.default:
        return 6.0
    if act.target is _ATEN.hardtanh.default and act.args[1] == 0:
        return float(act.args[2])  # type: ignore[arg-type]
    return None


_HEADROOM = 1.5
"""What an input may exceed those that were observed by, in a channel alone. For mobilenet_v2 with
ImageNet's weights the best class stays in 92 of 100 crops of photos, with 1.0 in 89."""


def _factors(most: torch.Tensor, bound: float | None) -> torch.Tensor:
    """Return what each channel is multiplied by, of its largest absolute value."""
    assert bound is not None
    common = min(float(most.max()), bound)
    factors = (common / (_HEADROOM * most).clamp_min(1e-12)).clamp(1.0, _MOST)
    return torch.where(most > 0, factors, torch.ones_like(factors))


class _Ranges(fx.Interpreter):
    """Runs a network and keeps the largest absolute value of each channel of some maps."""

    def __init__(self, model: fx.GraphModule, maps: Sequence[fx.Node]) -> None:
        super().__init__(model)
        self.most = {node: torch.zeros(node.meta["val"].shape[1]) for node in maps}

    def run_node(self, n: fx.Node) -> Any:
        """Return what a node gives."""
        result = super().run_node(n)
        if n in self.most:
            largest = result.abs().transpose(0, 1).flatten(1).amax(1)
            self.most[n] = torch.maximum(self.most[n], largest)
        return result


def _scale(model: fx.GraphModule, node: Any, factors: torch.Tensor) -> None:
    """Multiply weights by a factor for each output channel."""
    held = _held(model, node)
    held.mul_(factors.reshape(-1, *[1] * (held.ndim - 1)))


def _held(model: fx.GraphModule, node: Any) -> torch.Tensor:
    value: Any = model
    for part in str(node.target).split("."):
        value = getattr(value, part)
    return value.data
