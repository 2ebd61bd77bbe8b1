"""Convolutions and products with weights, as the products that both kinds of GEMM compute."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tvmlcnn import ops

from ..channel_places import planes_of, table
from ..layer import Convolution, Layer, Product


@dataclass(frozen=True, eq=False)
class Gemm:
    """A product of what is gathered with a matrix of weights.

    Attributes
    ----------
    weight : numpy.ndarray
        Shape (steps, channels).
    gathering : tvmlcnn.ops.Gathering
        But for where channels lie.
    places : numpy.ndarray
        Of the channels that are read, as `channel_places.table` has them; empty where they lie
        together.
    together : int
        Steps of the reduction whose data lie together.
    wide : int
        Elements of a pixel, or of a row, that is read.
    sums : str
        The type that products are added up in; empty for that of the data.
    """

    weight: np.ndarray
    gathering: ops.Gathering
    places: np.ndarray
    together: int
    wide: int
    sums: str

    @property
    def channels(self) -> int:
        """Of the result."""
        return self.weight.shape[1]

    @property
    def channels_of_group(self) -> int:
        """Of the result, that read the same input channels."""
        return self.channels // self.gathering.groups

    @property
    def lying_together(self) -> int:
        """Divisor of the steps that a load of neighbours may bring, wherever it begins."""
        return math.gcd(self.together, self.wide)

    @property
    def copies_padding(self) -> bool:
        """Whether what lies around the maps is to be in memory."""
        return any(self.gathering.window.padding) and len(self.places) > 0


def gemm_of(layer: Layer) -> Gemm | None:
    """Return a layer as a GEMM: a product with weights, or a convolution but a depthwise one."""
    if isinstance(layer, Product):
        steps, _ = layer.weight.shape
        gathering = ops.Gathering(layer.shape, ops.Window(), (1, 1), steps)
        return Gemm(layer.weight, gathering, np.arange(0), steps, layer.data[-1], layer.sums)
    if not isinstance(layer, Convolution) or layer.is_depthwise:
        return None
    rows, columns, _, channels = layer.weight.shape
    planes, inner, reads = planes_of(layer)
    weight = layer.weight.reshape(-1, channels)
    gathering = ops.Gathering(
        layer.shape,
        layer.window,
        (rows, columns),
        len(weight),
        layer.groups,
        planes,
        channels_first=layer.channels_first,
        prologue=ops.chain(layer.prologue) if layer.prologue else None,
        zero=layer.zero,
    )
    apart = layer.channels_first or len(reads)
    places = table(reads, layer.data, layer.shape[0], layer.window) if len(reads) else reads
    together = 1 if apart else inner
    return Gemm(weight, gathering, places, together, layer.data[3], layer.sums)
