"""``tvmlcnn.resample(data, sources, weights, ...)``: linear maps along axes by constant tables.

After the data come the sources and the weights of each axis (`tvmlcnn.ops.resampling.Taps`). The
attributes are the ``axes``, in the order in which they are mapped, and the ``shape`` of the result.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tvm
from tvm import relax

from tvmlcnn.ops.resampling import Taps

from . import operators
from .constants import constant
from .permuted import Permuted
from .rewriter import Rewriter

RESAMPLE = "tvmlcnn.resample"


def _type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    return relax.TensorType([int(n) for n in call.attrs["shape"]], call.args[0].ty.dtype)


operators.register(RESAMPLE, "Linear maps along axes.", _type)


def resample(data: relax.Expr, tables: Mapping[int, Taps]) -> relax.Expr:
    """Return a call of ``tvmlcnn.resample``, or the data where nothing is changed.

    Parameters
    ----------
    data : relax.Expr
        Any rank; of floating point, or any type where each output is one input as it is.
    tables : mapping from int to Taps
        By the axis, which may be negative.
    """
    shape = [int(n) for n in data.ty.shape]
    chosen = {axis % len(shape): taps for axis, taps in tables.items() if not taps.changes_nothing}
    axes = sorted(chosen)
    arguments = [data]
    for axis in axes:
        taps = chosen[axis]
        if taps.size != shape[axis]:
            raise ValueError(f"axis {axis} has {shape[axis]} elements, not {taps.size}")
        shape[axis] = taps.outputs
        arguments += [constant(taps.sources), constant(_weights(taps, str(data.ty.dtype)))]
    if not axes:
        return data
    attrs = tvm.ir.make_node("ir.DictAttrs", axes=axes, shape=shape)
    return relax.Call(tvm.ir.Op.get(RESAMPLE), arguments, attrs)


def _weights(taps: Taps, dtype: str) -> np.ndarray:
    """Return the weights, or a single one where each output is one input as it is."""
    return (taps.weights[0, :1] if taps.moves else taps.weights).astype(dtype)


def resample_permuted(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Resample a permuted tensor where it lies."""
    data = rewriter.value(call.args[0])
    if data.plain:
        return None
    old = [int(axis) for axis in call.attrs["axes"]]
    # Channels that lie apart stay where they are, as long as nothing mixes them.
    if data.places is not None and (len(data.order) != 4 or 1 in old or 0 in old):
        return None
    pairs = zip(call.args[1::2], call.args[2::2], strict=True)
    stored = {data.axis(axis): pair for axis, pair in zip(old, pairs, strict=True)}
    shape, axes = list(data.shape), sorted(stored)
    for axis in axes:
        shape[axis] = int(stored[axis][0].ty.shape[0])
    arguments = [data.expr, *(array for axis in axes for array in stored[axis])]
    attrs = tvm.ir.make_node("ir.DictAttrs", axes=axes, shape=shape)
    new = rewriter.builder.emit(relax.Call(call.op, arguments, attrs))
    return Permuted(new, data.order, data.places, data.planes)
