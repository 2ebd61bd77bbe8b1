"""Linear maps along axes, one after the other, as resizing is one."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import te, tirx
from tvm.ir import Expr

from .levels import in_levels, levels_of, within

# Taps that are written out; more of them are a loop.
WRITTEN_OUT = 32


def resample(data: te.Tensor, *tables: te.Tensor, axes: Sequence[int]) -> te.Tensor:
    """Return the data after a map along each axis, the first one first.

    Parameters
    ----------
    data : te.Tensor
    *tables : te.Tensor
        For each axis the sources, int32 of shape (outputs, taps), then the weights, of the same
        shape, or of the shape (1,) where each output is one input as it is.
    axes : sequence of int

    Returns
    -------
    te.Tensor
        The stage of the last axis; that of axis number ``i`` is called ``resample_i``.
    """
    for number, axis in enumerate(axes):
        data = _along(data, tables[2 * number], tables[2 * number + 1], axis, f"resample_{number}")
    return data


def _along(
    data: te.Tensor, sources: te.Tensor, weights: te.Tensor, axis: int, name: str
) -> te.Tensor:
    outputs, taps = (int(n) for n in sources.shape)
    shape = [*data.shape[:axis], outputs, *data.shape[axis + 1 :]]

    def read(place: Sequence[Expr], tap: Expr | int) -> Expr:
        source = sources[place[axis], tap]
        if not isinstance(data.op, te.PlaceholderOp):
            # TVM is to know that what a stage reads of the one before it is no more than that.
            source = tirx.max(tirx.min(source, int(data.shape[axis]) - 1), 0)
        return data(*place[:axis], source, *place[axis + 1 :])

    if len(weights.shape) == 1:
        return te.compute(shape, lambda *place: read(place, 0), name=name)
    inner = [int(n) for n in shape[axis + 1 :]]
    if inner and len(levels_of(taps)) > 1:

        def weighted(lead: Sequence[Expr], tap: Expr, rest: Sequence[Expr]) -> Expr:
            return within(read([*lead, *rest], tap) * weights[lead[axis], tap], tap, taps)

        outer = [int(n) for n in shape[: axis + 1]]
        return in_levels(name, name, te.sum, weighted, outer, taps, inner)
    if taps > WRITTEN_OUT:
        tap = te.reduce_axis((0, taps), "tap")
        return te.compute(
            shape,
            lambda *place: te.sum(read(place, tap) * weights[place[axis], tap], axis=tap),
            name=name,
        )

    def total(*place: tirx.Var) -> Expr:
        result = read(place, 0) * weights[place[axis], 0]
        for tap in range(1, taps):
            result = result + read(place, tap) * weights[place[axis], tap]
        return result

    return te.compute(shape, total, name=name)
