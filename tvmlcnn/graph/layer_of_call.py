"""The layers that calls in a graph stand for, as rules are asked about them."""

from __future__ import annotations

import math

import numpy as np
from tvm import relax

from tvmlcnn.ops import Window
from tvmlcnn.schedules import (
    BatchedProduct,
    Concatenation,
    Convolution,
    Layer,
    Normalization,
    Pool,
    Product,
    Reduction,
    Resample,
    Rows,
    Softmax,
)
from tvmlcnn.targets import CODES, ELEMENT_TYPES, FLOAT32, ElementType

from .constants import value_of
from .rows import options_of


def element_of(expr: relax.Expr) -> ElementType | None:
    """Return the type of a tensor's elements, None where kernels of our own are for no such."""
    return ELEMENT_TYPES.get(str(expr.ty.dtype)) if isinstance(expr.ty, relax.TensorType) else None


def window_of(call: relax.Call) -> Window:
    """Return how a call of ``tvmlcnn.conv2d`` walks over its input."""
    names = ("strides", "padding", "dilation")
    return Window(*(_ints(call.attrs[name]) for name in names))


def convolution(call: relax.Call) -> Convolution:
    """Return the layer of a call of ``tvmlcnn.conv2d``."""
    attrs, weight, element = call.attrs, value_of(call.args[1]), _of_numbers_or_codes(call)
    assert weight is not None, "only convolutions with constant weights become this operator"
    assert element is not None, "only those that kernels of ours compute"
    return Convolution(
        element,
        _shape(call.args[0]),
        weight,
        _ints(attrs["shape"]),
        window_of(call),
        int(attrs["groups"]),
        np.array(_ints(attrs["reads"]), np.int64),
        bool(attrs["channels_first"]),
        tuple(str(name) for name in attrs["prologue"]),
        int(attrs["zero"]),
        str(call.ty.dtype),
    )


def _of_numbers_or_codes(call: relax.Call) -> ElementType | None:
    """Return the type of the data that a layer multiplies, or takes the greatest of."""
    return (ELEMENT_TYPES | CODES).get(str(call.args[0].ty.dtype))


def integer_product(call: relax.Call) -> Product:
    """Return the layer of a call of ``tvmlcnn.integer_matmul``."""
    weight, element = value_of(call.args[1]), _of_numbers_or_codes(call)
    assert weight is not None, "only products with constant weights become this operator"
    assert element is not None, "only codes are multiplied so"
    return Product(element, _shape(call.args[0]), weight)


def product(call: relax.Call) -> Product | BatchedProduct | None:
    """Return the layer of a ``relax.matmul``, None where a factor is a vector."""
    left, right = _shape(call.args[0]), _shape(call.args[1])
    weight = value_of(call.args[1])
    factor = ELEMENT_TYPES.get(str(call.args[0].ty.dtype))
    if factor is None or min(len(left), len(right)) < 2:
        return None
    sums = str(call.ty.dtype)
    if weight is not None and weight.ndim == 2 and sums in (factor.accumulator, FLOAT32.name):
        return Product(factor, left, weight, sums)
    return BatchedProduct(factor, left, right) if sums == factor.accumulator else None


def pool(call: relax.Call) -> Pool | None:
    """Return the layer of pooling of windows of channels-last data, None of any other."""
    attrs, kind = call.attrs, "average" if call.op.name == "relax.nn.avg_pool2d" else "max"
    element = element_of(call) if kind == "average" else _of_numbers_or_codes(call)
    size, strides, padding = (
        _ints(values) for values in (attrs.pool_size, attrs.strides, attrs.padding)
    )
    # Each window overlaps the map where it starts in it or its padding before, as torch has it.
    overlap = all(before < taps for before, taps in zip(padding[:2], size, strict=True))
    if attrs.layout != "NHWC" or _ints(attrs.dilation) != (1, 1) or not overlap or element is None:
        return None
    include = bool(attrs.count_include_pad)
    return Pool(element, kind, _shape(call), size, strides, padding, include)


def global_average(call: relax.Call) -> Pool | None:
    """Return the layer of a mean over whole channels-last maps, None of any other."""
    shape, out, element = _shape(call.args[0]), _shape(call), element_of(call)
    axes = getattr(call.attrs, "axis", None)
    whole = (
        axes is not None and sorted(int(a) % len(shape) for a in axes) == [1, 2]
        if call.op.name == "relax.mean"
        else call.attrs.layout == "NHWC" and out[1:3] == (1, 1)
    )
    if len(shape) != 4 or not whole or element is None:
        return None
    return Pool(element, "global average", out, data=shape)


def mean_of_codes(call: relax.Call) -> Pool:
    """Return the layer of a call of ``tvmlcnn.mean_of_codes`` of channels-last maps."""
    data = call.args[0]
    return Pool(CODES[str(data.ty.dtype)], "global average", _shape(call), data=_shape(data))


def concatenation(call: relax.Call) -> Concatenation | None:
    """Return the layer of a ``relax.concat`` along the innermost axis, None of any other."""
    element, rank = element_of(call), len(call.ty.shape)
    innermost = int(call.attrs.axis) % rank == rank - 1
    if not isinstance(call.args[0], relax.Tuple) or not innermost or element is None:
        return None
    return Concatenation(element)


def resample(call: relax.Call) -> Resample:
    """Return the layer of a call of ``tvmlcnn.resample``."""
    arrays = [value_of(argument) for argument in call.args[1:]]
    # Elements that are only moved are so as those of float32.
    element = element_of(call) or FLOAT32
    pairs = tuple(zip(arrays[::2], arrays[1::2], strict=True))
    return Resample(element, _shape(call.args[0]), _ints(call.attrs["axes"]), pairs)  # type: ignore[arg-type]


def reduction(call: relax.Call) -> Layer | None:
    """Return the layer of a reduction of maps, or of neighbouring axes; None of any other."""
    whole = global_average(call) if call.op.name == "relax.mean" else None
    data, element = _shape(call.args[0]), element_of(call)
    rank, axes = len(data), call.attrs.axis
    if whole is not None or element is None or axes is None or not rank:
        return whole
    along = sorted(int(axis) % rank for axis in axes)
    if not along or len(along) == rank or along != list(range(along[0], along[-1] + 1)):
        return None
    kind, inner = call.op.name.removeprefix("relax."), rank - 1 - along[-1]
    return Reduction(element, kind, data, along[0], bool(call.attrs.keepdims), inner)


def normalization(call: relax.Call) -> Normalization | None:
    """Return the layer of a layer, group or instance norm, None where axes lie apart."""
    attrs, element, data = call.attrs, element_of(call), _shape(call.args[0])
    rank = len(data)
    # A batch of one is no axis to sum over.
    axes = [axis for axis in sorted(int(a) % rank for a in attrs.axes) if axis or data[0] > 1]
    if element is None or not (attrs.center and attrs.scale):
        return None
    if call.op.name == "relax.nn.layer_norm":
        lead = rank - len(attrs.axes)
        if not lead or [int(axis) % rank for axis in attrs.axes] != list(range(lead, rank)):
            return None
        return Normalization(element, data, lead, 0, False, float(attrs.epsilon))
    channel = int(attrs.channel_axis) % rank
    groups = getattr(attrs, "num_groups", data[channel])
    last = bool(axes) and channel == rank - 1
    lead = (channel if last else rank) - len(axes)
    if not last:
        lead -= 1
    first = lead if last else lead + 1
    if axes != list(range(first, first + len(axes))) or (not last and channel != lead):
        return None
    return Normalization(element, data, lead, int(groups), last, float(attrs.epsilon))


def softmax(call: relax.Call) -> Softmax | None:
    """Return the layer of a softmax or its logarithm: of its data as rows, axis, and the rest."""
    element, shape = element_of(call), _shape(call)
    if element is None or not math.prod(shape):
        return None
    axis = int(call.attrs.axis) % len(shape)
    data = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    return Softmax(element, data, call.op.name == "relax.nn.log_softmax")


def rows(call: relax.Call) -> Rows:
    """Return the layer of a call of an operator that goes through rows."""
    # Whatever is sorted, scanned or moved is no matter of vectors: the type decides nothing.
    element = element_of(call.args[0]) or FLOAT32
    return Rows(element, call.op.name, tuple(options_of(call).items()))


def _shape(expr: relax.Expr) -> tuple[int, ...]:
    return _ints(expr.ty.shape)


def _ints(values: object) -> tuple[int, ...]:
    return tuple(int(value) for value in values)  # type: ignore[attr-defined]
