"""All that the analyser says of a network, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from tvmlcnn.errors import UserError, did_you_mean
from tvmlcnn.targets import Device

from .export import export
from .fusion import traffic
from .guidelines import Guidelines, check
from .layer_graph import KINDS
from .memory import Peak, peak_memory
from .roofline import Bound, Limits, bounds, limits_of
from .totals import Row, Totals, totals
from .trace import trace

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "tf32": 4, "int8": 1}
"""Types that a network can be counted in, and the bytes of an element."""


@dataclass(frozen=True)
class Analysis:
    """What the analyser says of one network.

    Attributes
    ----------
    model, source : str
        Short name, and what the user gave.
    input_shapes : tuple of tuple of int
    rows : tuple of Row
        The layers in execution order.
    peak : Peak
        The most memory that activations need at once.
    guidelines : Guidelines
    limits : Limits or None
        Of the target; None without one.
    dtype : str
        What was counted in.
    """

    model: str
    source: str
    input_shapes: tuple[tuple[int, ...], ...]
    rows: tuple[Row, ...]
    peak: Peak
    guidelines: Guidelines
    limits: Limits | None
    dtype: str

    @property
    def total(self) -> Totals:
        """What all layers add up to."""
        return totals(self.rows)

    @property
    def kinds(self) -> dict[str, Totals]:
        """What the layers of each type add up to, in the order of `KINDS`."""
        members = {kind: [row for row in self.rows if row.layer.kind == kind] for kind in KINDS}
        return {kind: totals(rows) for kind, rows in members.items() if rows}

    @property
    def compute_bound_share(self) -> float:
        """Share of the least time in layers that the device's peak limits; 0 without a target."""
        limited = [row for row in self.rows if row.bound and row.bound.limit == "compute"]
        return (totals(limited).us or 0.0) / (self.total.us or 1.0)


def analyze(
    model: str | torch.nn.Module,
    target: Device | None = None,
    input_shapes: Any = None,
    trust: bool = False,
    dtype: str = "float32",
) -> Analysis:
    """Count what a network computes, moves and holds; it is exported, never run.

    Parameters
    ----------
    model : str or torch.nn.Module
        What ``tvmlcnn.compile`` takes.
    target : Device, optional
        Adds the roofline.
    input_shapes : optional
        By default what the zoo or the exported program says, else 1x3x224x224.
    trust : bool
        As `tvmlcnn.compile` takes it.
    dtype : str
        Of `BYTES`: what is float32 in the network, as if it were of this type. The network's
        inputs and outputs, biases and batch norms stay float32.

    Raises
    ------
    UserError
        If there is no such model, it cannot be exported, there is no such type, or the target has
        no figures, or no arithmetic of the type.
    """
    if dtype not in BYTES:
        raise UserError(
            f"no dtype {dtype!r}{did_you_mean(str(dtype), BYTES)}; there are {', '.join(BYTES)}",
            parameters=("dtype",),
        )
    limits = None if target is None else limits_of(target, dtype)
    network, program = export(model, input_shapes, trust)
    graph = trace(program, BYTES[dtype])
    moved = traffic(graph)
    under: Sequence[Bound | None] = [None] * len(moved)
    if limits is not None:
        under = bounds(graph, limits)
    return Analysis(
        network.name,
        network.source,
        network.input_shapes,
        tuple(map(Row, graph.layers, moved, under)),
        peak_memory(graph),
        check(graph),
        limits,
        dtype,
    )


def to_json(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as a JSON object: bytes, microseconds, operations a byte."""
    limits = analysis.limits
    return {
        "model": analysis.model,
        "source": analysis.source,
        "input_shapes": analysis.input_shapes,
        "dtype": analysis.dtype,
        "total": _sums(analysis.total) | {"peak_memory": asdict(analysis.peak)},
        "types": {kind: _sums(sums) for kind, sums in analysis.kinds.items()},
        "layers": [_layer(row) for row in analysis.rows],
        "guidelines": asdict(analysis.guidelines),
        "target": limits
        and asdict(limits)
        | {"ridge": limits.ridge, "compute_bound_share": analysis.compute_bound_share},
    }


def _sums(sums: Totals) -> dict[str, Any]:
    return asdict(sums) | {"intensity": sums.intensity}


def _layer(row: Row) -> dict[str, Any]:
    layer, sums = row.layer, _sums(totals([row]))
    del sums["layers"]
    return {
        "name": layer.name,
        "op": layer.op,
        "type": layer.kind,
        "output_shape": layer.writes[0].shape,
        "kernel": layer.kernel,
        "groups": layer.groups,
        "folded": layer.folded,
        **sums,
        "limit": row.bound and row.bound.limit,
    }
