"""Operators of our own for numbers that are held as small integers: their codes.

A code ``q`` stands for the number ``(q - zero) * scale``.

``tvmlcnn.quantize(data)``
    The codes of numbers: ``clip(round(data / scale) + zero, low, high)``, halves rounded to even.
``tvmlcnn.dequantize(codes)``
    The numbers that codes stand for.
``tvmlcnn.dequantize_channels(codes, scales)``
    The same of constant weights, with scales by channel of the weights' rank, and no zero point.
``tvmlcnn.integer_conv2d(codes, weight)``
    The convolution of codes with integers, NCHW and OIHW, summed in int32. Its attributes are
    those of a ``relax.nn.conv2d``, and ``zero``, the code that lies around the maps.
``tvmlcnn.integer_matmul(codes, weight)``
    The product of codes with a constant matrix, summed in int32.
``tvmlcnn.mean_of_codes(codes)``
    The mean of the codes of each channel's map, float32. Its attribute ``axes`` is those of the
    maps, which stay, of one element each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Op

from tvmlcnn import targets

from .constants import constant
from .operators import register

CODES: dict[str, tuple[int, int]] = {
    name: (int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in targets.CODES
}
"""The element types of codes, with the least and the greatest."""
AT_ONCE = 4
"""Codes that the instructions of most processors multiply at a time."""
QUANTIZE = "tvmlcnn.quantize"
DEQUANTIZE = "tvmlcnn.dequantize"
DEQUANTIZE_CHANNELS = "tvmlcnn.dequantize_channels"
INTEGER_CONV2D = "tvmlcnn.integer_conv2d"
INTEGER_MATMUL = "tvmlcnn.integer_matmul"
MEAN_OF_CODES = "tvmlcnn.mean_of_codes"


@dataclass(frozen=True)
class Code:
    """How numbers are held as small integers.

    Attributes
    ----------
    scale : float
        Of one step.
    zero : int
        The code of zero.
    dtype : str
        ``"uint8"`` or ``"int8"``.
    """

    scale: float
    zero: int
    dtype: str

    def of_type(self, dtype: str) -> Code:
        """Return the same with codes of another type, as much greater or less as its range is."""
        shift = CODES[dtype][0] - CODES[self.dtype][0]
        return Code(self.scale, self.zero + shift, dtype)


def codes_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    """Return the type of codes, as the attributes say, of as many numbers as there are."""
    return relax.TensorType(call.args[0].ty.shape, str(call.attrs["dtype"]))


def numbers_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    """Return the type of as many numbers of float32."""
    return relax.TensorType(call.args[0].ty.shape, targets.FLOAT32.name)


def _conv2d_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    data, weight = ([int(n) for n in arg.ty.shape] for arg in call.args)
    attrs = call.attrs
    padding = [int(n) for n in attrs["padding"]]
    size = [
        (data[2 + i] + padding[i] + padding[2 + i] - int(spread) * (weight[2 + i] - 1) - 1)
        // int(step)
        + 1
        for i, (step, spread) in enumerate(zip(attrs["strides"], attrs["dilation"], strict=True))
    ]
    return relax.TensorType([data[0], weight[0], *size], "int32")


def _matmul_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    data, weight = ([int(n) for n in arg.ty.shape] for arg in call.args)
    return relax.TensorType([*data[:-1], weight[1]], "int32")


def _mean_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    axes = [int(axis) for axis in call.attrs["axes"]]
    shape = [1 if axis in axes else n for axis, n in enumerate(call.args[0].ty.shape)]
    return relax.TensorType(shape, targets.FLOAT32.name)


register(QUANTIZE, "Codes of numbers.", codes_type)
register(DEQUANTIZE, "Numbers of codes.", numbers_type)
register(DEQUANTIZE_CHANNELS, "Numbers of codes with scales by channel.", numbers_type)
register(INTEGER_CONV2D, "Convolution of codes.", _conv2d_type)
register(INTEGER_MATMUL, "Product of codes with a matrix.", _matmul_type)
register(MEAN_OF_CODES, "Means of maps of codes.", _mean_type)


def quantize(data: relax.Expr, code: Code, bounds: tuple[int, int] | None = None) -> relax.Call:
    """Return a call of ``tvmlcnn.quantize``; by default the bounds are those of the type."""
    low, high = bounds or CODES[code.dtype]
    attrs = {**_attributes(code), "low": low, "high": high}
    return relax.Call(Op.get(QUANTIZE), [data], tvm.ir.make_node("ir.DictAttrs", **attrs))


def dequantize(codes: relax.Expr, code: Code) -> relax.Call:
    """Return a call of ``tvmlcnn.dequantize``."""
    attrs = tvm.ir.make_node("ir.DictAttrs", **_attributes(code))
    return relax.Call(Op.get(DEQUANTIZE), [codes], attrs)


def dequantize_channels(codes: relax.Expr, scales: np.ndarray) -> relax.Call:
    """Return a call of ``tvmlcnn.dequantize_channels``."""
    return relax.Call(Op.get(DEQUANTIZE_CHANNELS), [codes, constant(scales)])


def integer_conv2d(
    codes: relax.Expr, weight: relax.Expr, zero: int, convolution: tvm.ir.Attrs
) -> relax.Call:
    """Return a call of ``tvmlcnn.integer_conv2d``.

    Parameters
    ----------
    codes, weight : relax.Expr
    zero : int
        The code of zero.
    convolution : tvm.ir.Attrs
        Attributes of the ``relax.nn.conv2d`` that it stands for.
    """
    attrs = {
        name: [int(n) for n in getattr(convolution, name)]
        for name in ("strides", "padding", "dilation")
    }
    layouts = {name: str(getattr(convolution, name)) for name in ("data_layout", "kernel_layout")}
    numbers = {"groups": int(convolution.groups), "zero": zero}
    made = tvm.ir.make_node("ir.DictAttrs", **attrs, **layouts, **numbers)
    return relax.Call(Op.get(INTEGER_CONV2D), [codes, weight], made)


def integer_matmul(codes: relax.Expr, weight: relax.Expr) -> relax.Call:
    """Return a call of ``tvmlcnn.integer_matmul``."""
    return relax.Call(Op.get(INTEGER_MATMUL), [codes, weight])


def mean_of_codes(codes: relax.Expr, axes: Sequence[int]) -> relax.Call:
    """Return a call of ``tvmlcnn.mean_of_codes``."""
    attrs = tvm.ir.make_node("ir.DictAttrs", axes=list(axes))
    return relax.Call(Op.get(MEAN_OF_CODES), [codes], attrs)


def code_of(call: relax.Call) -> Code:
    """Return how the codes of a call of quantize or dequantize stand for numbers."""
    attrs = call.attrs
    return Code(float(attrs["scale"]), int(attrs["zero"]), str(attrs["dtype"]))


def bounds_of(call: relax.Call) -> tuple[int, int]:
    """Return the least and the greatest code of a call of quantize."""
    return int(call.attrs["low"]), int(call.attrs["high"])


def _attributes(code: Code) -> dict[str, object]:
    return {"scale": code.scale, "zero": code.zero, "dtype": code.dtype}
