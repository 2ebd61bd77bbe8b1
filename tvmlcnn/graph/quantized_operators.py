"""Operators of our own for numbers that are held as small integers: their codes.

A code ``q`` stands for the number ``(q - zero) * scale``.

``tvmlcnn.quantize(data)``
    The codes of numbers: ``clip(round(data / scale) + zero, low, high)``, halves rounded to even.
``tvmlcnn.dequantize(codes)``
    The numbers that codes stand for.
``tvmlcnn.dequantize_channels(codes, scales)``
    The same of constant weights, with scales by channel of the weights' rank, and no zero point.
``tvmlcnn.to_codes(data)``
    The codes next to numbers less than 2**31, in steps; past the bounds of the type, its least or
    greatest.
``tvmlcnn.number_of_bits(data)``
    The number of float32 that has the bits of an int32.
``tvmlcnn.low_codes(data)``
    The codes, int8, that the lowest 16 bits of numbers are, within ``low`` and ``high``.
``tvmlcnn.product_of_codes(left, right)``
    The products, int32, of codes less their zeros, int16, which are broadcast.
``tvmlcnn.scaled_codes(data)``
    The codes, int8, within ``low`` and ``high``, that int32 times ``factor``, in steps of 2**-31,
    plus ``zero`` is next to; halves go up. They fit 16 bits.
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
from tvm import relax, te, tirx
from tvm.ir import Expr, Op

from tvmlcnn import targets

from .constants import constant
from .operators import register

CODES: dict[str, tuple[int, int]] = {
    name: (int(np.iinfo(name).min), int(np.iinfo(name).max)) for name in targets.CODES
}
"""The element types of codes, with the least and the greatest."""
FACTOR_BITS = 31
"""Places of the factors that integers are scaled with: they are less than 1."""
AT_ONCE = 4
"""Codes that the instructions of most processors multiply at a time."""
QUANTIZE = "tvmlcnn.quantize"
DEQUANTIZE = "tvmlcnn.dequantize"
DEQUANTIZE_CHANNELS = "tvmlcnn.dequantize_channels"
TO_CODES = "tvmlcnn.to_codes"
NUMBER_OF_BITS = "tvmlcnn.number_of_bits"
LOW_CODES = "tvmlcnn.low_codes"
PRODUCT_OF_CODES = "tvmlcnn.product_of_codes"
SCALED_CODES = "tvmlcnn.scaled_codes"
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


def _codes_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    return relax.TensorType(call.args[0].ty.shape, str(call.attrs["dtype"]))


def _numbers_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
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


def _product_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    shapes = [[int(n) for n in arg.ty.shape] for arg in call.args]
    return relax.TensorType(np.broadcast_shapes(*shapes), targets.INT8.accumulator)


def _mean_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    axes = [int(axis) for axis in call.attrs["axes"]]
    shape = [1 if axis in axes else n for axis, n in enumerate(call.args[0].ty.shape)]
    return relax.TensorType(shape, targets.FLOAT32.name)


register(TO_CODES, "Integers next to numbers.", _codes_type)
register(NUMBER_OF_BITS, "Numbers by their bits.", _numbers_type)
register(LOW_CODES, "Integers in the lowest bits of numbers.", _codes_type)
register(PRODUCT_OF_CODES, "Products of codes with each other.", _product_type)
register(SCALED_CODES, "Integers next to scaled ones.", _codes_type)
register(QUANTIZE, "Codes of numbers.", _codes_type)
register(DEQUANTIZE, "Numbers of codes.", _numbers_type)
register(DEQUANTIZE_CHANNELS, "Numbers of codes with scales by channel.", _numbers_type)
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


def to_codes(data: relax.Expr, dtype: str) -> relax.Call:
    """Return a call of ``tvmlcnn.to_codes``; the numbers are less than 2**31."""
    attrs = tvm.ir.make_node("ir.DictAttrs", dtype=dtype)
    return relax.Call(Op.get(TO_CODES), [data], attrs)


def rounded(value: Expr, dtype: str) -> Expr:
    """Return the code next to a number; past the bounds of its type, its least or greatest.

    Code for CPUs takes the whole for its own instructions: see `tvmlcnn.package.narrow_codes`.
    """
    low, high = (tirx.const(bound, "int32") for bound in CODES[dtype])
    integer = tirx.nearbyint(value).astype("int32")
    return tirx.max(tirx.min(integer, high), low).astype(dtype)


def codes_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes ``tvmlcnn.to_codes``."""
    dtype = str(call.attrs["dtype"])

    def function(data: te.Tensor) -> te.Tensor:
        return te.compute(data.shape, lambda *place: rounded(data(*place), dtype), name="codes")

    return builder.call_te(function, call.args[0], primfunc_name_hint="codes")


def number_of_bits(data: relax.Expr) -> relax.Call:
    """Return a call of ``tvmlcnn.number_of_bits``."""
    return relax.Call(Op.get(NUMBER_OF_BITS), [data])


def low_codes(data: relax.Expr, low: int, high: int) -> relax.Call:
    """Return a call of ``tvmlcnn.low_codes``."""
    attrs = tvm.ir.make_node("ir.DictAttrs", dtype=targets.INT8.name, low=low, high=high)
    return relax.Call(Op.get(LOW_CODES), [data], attrs)


def bits_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes ``tvmlcnn.number_of_bits``."""

    def function(data: te.Tensor) -> te.Tensor:
        number = targets.FLOAT32.name
        return te.compute(data.shape, lambda *i: tirx.reinterpret(number, data(*i)), name="number")

    return builder.call_te(function, call.args[0], primfunc_name_hint="number_of_bits")


def low_codes_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes ``tvmlcnn.low_codes``.

    Code for ARM takes the whole for its own instructions: see `tvmlcnn.package.narrow_codes`.
    """
    bounds = [tirx.const(int(call.attrs[name]), "int16") for name in ("low", "high")]
    dtype = str(call.attrs["dtype"])

    def code(value: Expr) -> Expr:
        low = tirx.reinterpret("int32", value).astype("int16")
        return tirx.max(tirx.min(low, bounds[1]), bounds[0]).astype(dtype)

    def function(data: te.Tensor) -> te.Tensor:
        return te.compute(data.shape, lambda *place: code(data(*place)), name="low_codes")

    return builder.call_te(function, call.args[0], primfunc_name_hint="low_codes")


def product_of_codes(left: relax.Expr, right: relax.Expr) -> relax.Call:
    """Return a call of ``tvmlcnn.product_of_codes``."""
    return relax.Call(Op.get(PRODUCT_OF_CODES), [left, right])


def product_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes ``tvmlcnn.product_of_codes``.

    What is broadcast is widened where it is multiplied: instructions do both.
    """
    shape = [int(n) for n in call.ty.shape]

    def at(factor: te.Tensor, place: Sequence[Expr]) -> Expr:
        own = place[len(place) - len(factor.shape) :]
        sizes = map(int, factor.shape)
        read = [0 if size == 1 else index for index, size in zip(own, sizes, strict=True)]
        return factor(*read).astype(targets.INT8.accumulator)

    def function(left: te.Tensor, right: te.Tensor) -> te.Tensor:
        return te.compute(shape, lambda *i: at(left, i) * at(right, i), name="product")

    return builder.call_te(function, *call.args, primfunc_name_hint="product_of_codes")


def scaled_codes(data: relax.Expr, factor: int, zero: int, low: int, high: int) -> relax.Call:
    """Return a call of ``tvmlcnn.scaled_codes``."""
    numbers = {"factor": factor, "zero": zero, "low": low, "high": high}
    attrs = tvm.ir.make_node("ir.DictAttrs", dtype=targets.INT8.name, **numbers)
    return relax.Call(Op.get(SCALED_CODES), [data], attrs)


def scaled_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes ``tvmlcnn.scaled_codes``.

    Code for ARM takes the whole for its own instructions: see `tvmlcnn.package.narrow_codes`.
    """
    factor, zero, low, high = (
        tirx.const(int(call.attrs[name]), "int32") for name in ("factor", "zero", "low", "high")
    )
    places, no = tirx.const(FACTOR_BITS, "int32"), tirx.const(0, "int32")
    dtype = str(call.attrs["dtype"])

    def code(value: Expr) -> Expr:
        steps = tirx.q_multiply_shift(value, factor, places, no)
        return tirx.max(tirx.min(steps + zero, high), low).astype(dtype)

    def function(data: te.Tensor) -> te.Tensor:
        return te.compute(data.shape, lambda *place: code(data(*place)), name="scaled_codes")

    return builder.call_te(function, call.args[0], primfunc_name_hint="scaled_codes")


def _attributes(code: Code) -> dict[str, object]:
    return {"scale": code.scale, "zero": code.zero, "dtype": code.dtype}
