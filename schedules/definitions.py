"""Definitions of layers that TVM has none of, for whichever rule takes them."""

from __future__ import annotations

from functools import partial

from tvmlcnn import ops

from .layer import Layer, Resample
from .rule import Definition


def definition_of(layer: Layer) -> Definition | None:
    """Return the definition of a layer, or None where TVM has one."""
    if isinstance(layer, Resample):
        tables = [array for pair in layer.tables for array in pair]
        return Definition(partial(ops.resample, axes=layer.axes), tables, name="resample")
    return None
