"""Layers that can be quantized, by the names that users know them by."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import fx

from tvmlcnn.errors import UserError, did_you_mean
from tvmlcnn.frontend.layer_naming import Layers

from .units import Unit


@dataclass(frozen=True)
class Layer:
    """A unit of a network, and the name of the torch module that it begins with."""

    name: str
    unit: Unit


def named(graph: fx.Graph, units: Collection[Unit]) -> list[Layer]:
    """Return the layers of a graph that compute something; what only moves elements is none."""
    names = Layers(graph)
    return [Layer(names.of(unit.root), unit) for unit in units if not unit.is_move]


def matching(found: Sequence[Layer], patterns: Sequence[str]) -> list[Layer]:
    """Return the layers whose names fit one of some glob patterns.

    Raises
    ------
    UserError
        If a pattern fits none.
    """
    names = [layer.name for layer in found]
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise UserError(
                f"no layer that int8 can have is called {pattern!r}{did_you_mean(pattern, names)}",
                parameters=("keep_float",),
            )
    return [
        layer
        for layer in found
        if any(fnmatch.fnmatchcase(layer.name, pattern) for pattern in patterns)
    ]
