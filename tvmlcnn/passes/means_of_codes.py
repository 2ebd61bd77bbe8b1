"""Means of maps of codes, which are numbers: no map of numbers is made for them."""

from __future__ import annotations

from tvm import relax

from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.attributes import ints
from tvmlcnn.graph.quantized_forms import Codes, Graph, of_type
from tvmlcnn.targets import FLOAT32


def mean_of_codes(graph: Graph, var: relax.Var, call: relax.Call, dtype: str) -> relax.Expr | None:
    """Take the mean of the codes of whole maps, of which it makes one number."""
    form, shape = graph.form(call.args[0]), ints(call.ty.shape)
    if not isinstance(form, Codes) or form.dtype != FLOAT32.name:
        return None
    if not _is_of_maps(call):
        return None
    codes = of_type(graph, var, form, dtype)
    mean = graph.emit(quantized.mean_of_codes(codes.expr, (2, 3)), var)
    if codes.code.zero:
        zero = relax.const(float(codes.code.zero), FLOAT32.name)
        mean = graph.emit(relax.op.subtract(mean, zero), var)
    if ints(mean.ty.shape) != shape:
        mean = graph.emit(relax.op.reshape(mean, shape), var)
    return graph.emit(relax.op.multiply(mean, relax.const(codes.code.scale, FLOAT32.name)), var)


def _is_of_maps(call: relax.Call) -> bool:
    """Tell whether a call makes one number of each channel's map, NCHW."""
    attrs, rank = call.attrs, len(call.args[0].ty.shape)
    if rank != 4 or call.op.name == "relax.mean":
        axes = [] if attrs.axis is None else sorted(int(axis) % rank for axis in attrs.axis)
        return rank == 4 and axes == [2, 3]
    return bool(attrs.layout == "NCHW") and ints(call.ty.shape)[2:] == [1, 1]
