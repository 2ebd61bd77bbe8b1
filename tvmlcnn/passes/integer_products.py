"""Convolutions and matrix products of codes, summed up as integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tvm import relax

from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.attributes import changed, ints
from tvmlcnn.graph.constants import constant
from tvmlcnn.graph.quantized_forms import Centred, Codes, Form, Graph, Sums, Weights, of_type
from tvmlcnn.graph.surround import surround


def conv2d(graph: Graph, var: relax.Var, call: relax.Call, dtype: str) -> Form | None:
    """Return what a convolution of codes of any type with weights sums up, of codes of one type."""
    data, weights = map(graph.form, call.args)
    if not (isinstance(data, Codes | Centred) and isinstance(weights, Weights)):
        return None
    if not _fit(weights, 0):
        return None
    if isinstance(data, Centred):
        return _conv2d_of_bytes(graph, var, call, data, weights, dtype)
    data = of_type(graph, var, data, dtype)
    made = quantized.integer_conv2d(
        data.expr, constant(weights.integers.astype(np.int8)), data.code.zero, call.attrs
    )
    sums = _sums(graph, var, made, data, weights, (1, 2, 3))
    return replace(sums, grouped=int(call.attrs.groups) > 1)


def _conv2d_of_bytes(
    graph: Graph, var: relax.Var, call: relax.Call, data: Centred, weights: Weights, dtype: str
) -> Sums:
    """Convolve bytes whose zero differs by channel: no convolution puts those around maps."""
    around = surround(data.expr, ints(data.zeros), ints(call.attrs.padding), dtype)
    code = quantized.Code(1.0, 0, "uint8").of_type(dtype)
    codes = Codes(graph.emit(around, var), code, dtype)
    integers = weights.integers
    made = quantized.integer_conv2d(
        codes.expr,
        constant(integers.astype(np.int8)),
        code.zero,
        changed(call.attrs, padding=[0, 0, 0, 0]),
    )
    sums = _sums(graph, var, made, codes, weights, (1, 2, 3))
    groups = int(call.attrs.groups)
    by_group = integers.reshape(groups, -1, *integers.shape[1:]).astype(np.int64)
    taken = (by_group * data.zeros.reshape(groups, 1, -1, 1, 1)).sum((2, 3, 4))
    return replace(sums, bias=sums.bias - taken.reshape(sums.scales.shape) * sums.scales)


def matmul(graph: Graph, var: relax.Var, call: relax.Call, dtype: str) -> Form | None:
    """Return what a product of codes of any type with a matrix sums up, of codes of one type."""
    data, weights = map(graph.form, call.args)
    if not (isinstance(data, Codes) and isinstance(weights, Weights)) or not _fit(weights, 1):
        return None
    if weights.integers.ndim != 2 or len(call.args[0].ty.shape) < 2:
        return None
    data = of_type(graph, var, data, dtype)
    made = quantized.integer_matmul(data.expr, constant(weights.integers.astype(np.int8)))
    return _sums(graph, var, made, data, weights, (0,))


def _sums(
    graph: Graph,
    var: relax.Var,
    call: relax.Call,
    data: Codes,
    weights: Weights,
    inner: tuple[int, ...],
) -> Sums:
    """Return what sums of codes stand for, whose weights are summed along the axes ``inner``."""
    shape = (-1,) if inner == (0,) else (1, -1, 1, 1)
    scales = np.ravel(weights.scales).astype(np.float64) * data.code.scale
    integers = weights.integers.astype(np.int64)
    of_ones, sizes = (part.sum(inner) for part in (integers, np.abs(integers)))
    widest = max(map(abs, quantized.CODES[data.code.dtype]))
    return Sums(
        graph.emit(call, var),
        np.broadcast_to(scales, of_ones.shape).reshape(shape),
        # What the codes of zero add to the sums.
        (-data.code.zero * of_ones * scales).reshape(shape),
        (widest * sizes).reshape(shape),
    )


def _fit(weights: Weights, axis: int) -> bool:
    """Tell whether weights are bytes whose scales are by channel of the output."""
    low, high = quantized.CODES["int8"]
    others = [size for i, size in enumerate(weights.scales.shape) if i != axis]
    within = weights.integers.size and low <= weights.integers.min() <= weights.integers.max()
    return bool(within) and weights.integers.max() <= high and all(size == 1 for size in others)
