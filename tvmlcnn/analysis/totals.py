"""Sums over layers: of one, of a type, of the network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .layer_graph import Layer
from .roofline import Bound


@dataclass(frozen=True)
class Row:
    """A layer, the bytes it moves at least, and its bound on the target where there is one."""

    layer: Layer
    traffic: int
    bound: Bound | None


@dataclass(frozen=True)
class Totals:
    """Sums over layers.

    Attributes
    ----------
    layers : int
    parameters : int
        Learned elements, each counted once.
    macs : int
        Multiply-adds of convolutions and matrix products.
    weight_bytes : int
        Bytes of parameters and buffers, each counted once.
    activation_bytes : int
        Bytes of activations read and written, as the graph is written.
    access_bytes : int
        Memory access cost: activations, and the weights that a run reads.
    traffic_bytes : int
        What is left of it after fusion (`fusion.traffic`).
    us : float or None
        The least microseconds on the target, one layer after the other; None without a target.
    """

    layers: int
    parameters: int
    macs: int
    weight_bytes: int
    activation_bytes: int
    access_bytes: int
    traffic_bytes: int
    us: float | None

    @property
    def intensity(self) -> float:
        """Operations a byte of memory access, a multiply-add counted as two."""
        return 2 * self.macs / self.access_bytes if self.access_bytes else 0.0


def totals(rows: Iterable[Row]) -> Totals:
    """Return the sums over rows."""
    rows = list(rows)
    layers = [row.layer for row in rows]
    bounds = [row.bound for row in rows if row.bound is not None]
    return Totals(
        layers=len(rows),
        parameters=sum(layer.parameters for layer in layers),
        macs=sum(layer.macs for layer in layers),
        weight_bytes=sum(layer.weight_bytes for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        access_bytes=sum(layer.access_bytes for layer in layers),
        traffic_bytes=sum(row.traffic for row in rows),
        us=sum(bound.us for bound in bounds) if bounds else None,
    )
