"""Element-wise operators that codes are made by, of numbers and of sums of integers.

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
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax, te, tirx
from tvm.ir import Expr, Op

from tvmlcnn.ops.broadcasting import broadcast_element
from tvmlcnn.targets import FLOAT32, INT8

from .operators import register
from .quantized_operators import CODES, codes_type, numbers_type

FACTOR_BITS = 31
"""Places of the factors that integers are scaled with: they are less than 1."""
_TO_CODES = "tvmlcnn.to_codes"
_NUMBER_OF_BITS = "tvmlcnn.number_of_bits"
_LOW_CODES = "tvmlcnn.low_codes"
_PRODUCT_OF_CODES = "tvmlcnn.product_of_codes"
_SCALED_CODES = "tvmlcnn.scaled_codes"


def _product_type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    shapes = [[int(n) for n in arg.ty.shape] for arg in call.args]
    return relax.TensorType(np.broadcast_shapes(*shapes), INT8.accumulator)


register(_TO_CODES, "Integers next to numbers.", codes_type)
register(_NUMBER_OF_BITS, "Numbers by their bits.", numbers_type)
register(_LOW_CODES, "Integers in the lowest bits of numbers.", codes_type)
register(_PRODUCT_OF_CODES, "Products of codes with each other.", _product_type)
register(_SCALED_CODES, "Integers next to scaled ones.", codes_type)


def to_codes(data: relax.Expr, dtype: str) -> relax.Call:
    """Return a call of ``tvmlcnn.to_codes``; the numbers are less than 2**31."""
    attrs = tvm.ir.make_node("ir.DictAttrs", dtype=dtype)
    return relax.Call(Op.get(_TO_CODES), [data], attrs)


def number_of_bits(data: relax.Expr) -> relax.Call:
    """Return a call of ``tvmlcnn.number_of_bits``."""
    return relax.Call(Op.get(_NUMBER_OF_BITS), [data])


def low_codes(data: relax.Expr, low: int, high: int) -> relax.Call:
    """Return a call of ``tvmlcnn.low_codes``."""
    attrs = tvm.ir.make_node("ir.DictAttrs", dtype=INT8.name, low=low, high=high)
    return relax.Call(Op.get(_LOW_CODES), [data], attrs)


def product_of_codes(left: relax.Expr, right: relax.Expr) -> relax.Call:
    """Return a call of ``tvmlcnn.product_of_codes``."""
    return relax.Call(Op.get(_PRODUCT_OF_CODES), [left, right])


def scaled_codes(data: relax.Expr, factor: int, zero: int, low: int, high: int) -> relax.Call:
    """Return a call of ``tvmlcnn.scaled_codes``."""
    numbers = {"factor": factor, "zero": zero, "low": low, "high": high}
    attrs = tvm.ir.make_node("ir.DictAttrs", dtype=INT8.name, **numbers)
    return relax.Call(Op.get(_SCALED_CODES), [data], attrs)


def _by_element(
    builder: relax.BlockBuilder, call: relax.Call, element: Callable[[Expr], Expr]
) -> relax.Call:
    """Return the call of a function that computes an operator of one tensor."""

    def function(data: te.Tensor) -> te.Tensor:
        return te.compute(data.shape, lambda *place: element(data(*place)), name="element")

    hint = call.op.name.rpartition(".")[2]
    return builder.call_te(function, call.args[0], primfunc_name_hint=hint)


def rounded(value: Expr, dtype: str) -> Expr:
    """Return the code next to a number; past the bounds of its type, its least or greatest.

    Code for CPUs takes the whole for its own instructions: see `tvmlcnn.package.narrow_codes`.
    """
    low, high = (tirx.const(bound, "int32") for bound in CODES[dtype])
    integer = tirx.nearbyint(value).astype("int32")
    return tirx.max(tirx.min(integer, high), low).astype(dtype)


def _codes_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    dtype = str(call.attrs["dtype"])
    return _by_element(builder, call, lambda value: rounded(value, dtype))


def _bits_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    return _by_element(builder, call, lambda value: tirx.reinterpret(FLOAT32.name, value))


def _low_codes_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Define the operator as code for ARM knows it: see `tvmlcnn.package.narrow_codes`."""
    low, high = (tirx.const(int(call.attrs[name]), "int16") for name in ("low", "high"))
    dtype = str(call.attrs["dtype"])

    def code(value: Expr) -> Expr:
        bits = tirx.reinterpret("int32", value).astype("int16")
        return tirx.max(tirx.min(bits, high), low).astype(dtype)

    return _by_element(builder, call, code)


def _product_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Widen what is broadcast where it is multiplied: instructions do both."""
    shape = [int(n) for n in call.ty.shape]

    def function(*factors: te.Tensor) -> te.Tensor:
        def element(*place: tirx.Var) -> Expr:
            left, right = (broadcast_element(factor, shape, place) for factor in factors)
            return left.astype(INT8.accumulator) * right.astype(INT8.accumulator)

        return te.compute(shape, element, name="product")

    return builder.call_te(function, *call.args, primfunc_name_hint="product_of_codes")


def _scaled_defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Define the operator as code for ARM knows it: see `tvmlcnn.package.scaled_codes`."""
    factor, zero, low, high = (
        tirx.const(int(call.attrs[name]), "int32") for name in ("factor", "zero", "low", "high")
    )
    places, no = tirx.const(FACTOR_BITS, "int32"), tirx.const(0, "int32")
    dtype = str(call.attrs["dtype"])

    def code(value: Expr) -> Expr:
        steps = tirx.q_multiply_shift(value, factor, places, no)
        return tirx.max(tirx.min(steps + zero, high), low).astype(dtype)

    return _by_element(builder, call, code)


DEFINED: dict[str, Callable[[relax.BlockBuilder, relax.Call], relax.Call]] = {
    _TO_CODES: _codes_defined,
    _NUMBER_OF_BITS: _bits_defined,
    _LOW_CODES: _low_codes_defined,
    _PRODUCT_OF_CODES: _product_defined,
    _SCALED_CODES: _scaled_defined,
}
"""What makes a call of each operator one of a function that computes it."""
