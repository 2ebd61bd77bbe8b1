"""Comparisons, logic and bits, element by element, with torch's types."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tvm import relax

from .emitter import Call, Converter, Emitter, Value, dtype_of, shape_of
from .operands import operands

op = relax.op


def _comparison(operator: Callable[..., relax.Expr]) -> Converter:
    """Compare in the type that both are promoted to."""

    def convert(emit: Emitter, call: Call) -> Value:
        dtype = call.promoted("self", "other")
        if dtype == "bool":
            dtype = "int8"
        return emit(operator, *operands(emit, call, dtype))

    return convert


def _logical(operator: Callable[..., relax.Expr]) -> Converter:
    def convert(emit: Emitter, call: Call) -> Value:
        return emit(operator, emit.cast(call.self, "bool"), emit.cast(call.other, "bool"))

    return convert


def _bitwise(logical: Callable[..., relax.Expr], bits: Callable[..., relax.Expr]) -> Converter:
    def convert(emit: Emitter, call: Call) -> Value:
        left, right = operands(emit, call, call.dtype_)
        return emit(logical if call.dtype_ == "bool" else bits, left, right)

    return convert


def _shift(operator: Callable[..., relax.Expr]) -> Converter:
    """Shift by what is within the type; beyond it nothing is left but, to the right, the sign."""

    def convert(emit: Emitter, call: Call) -> Value:
        dtype = call.dtype_
        left, right = operands(emit, call, dtype)
        bits = np.iinfo(dtype).bits
        within = emit(op.less, right, emit.scalar(bits, dtype))
        if not dtype.startswith("uint"):
            least = emit(op.greater_equal, right, emit.scalar(0, dtype))
            within = emit(op.logical_and, within, least)
        shifted = emit(operator, left, emit(op.where, within, right, emit.scalar(0, dtype)))
        beyond = emit.scalar(0, dtype)
        if operator is op.right_shift:
            beyond = emit(op.right_shift, left, emit.scalar(bits - 1, dtype))
        return emit(op.where, within, shifted, beyond)

    return convert


def _bitwise_not(emit: Emitter, call: Call) -> Value:
    return emit(op.logical_not if call.dtype_ == "bool" else op.bitwise_not, call.self)


def _is_special(operator: Callable[..., relax.Expr]) -> Converter:
    """Tell which elements are NaN or infinite, which integers never are."""

    def convert(emit: Emitter, call: Call) -> Value:
        if "float" in dtype_of(call.self):
            return emit(operator, call.self)
        return relax.const(np.zeros(shape_of(call.self), bool))

    return convert


_BINARY: dict[str, Converter] = {
    "bitwise_and": _bitwise(op.logical_and, op.bitwise_and),
    "bitwise_or": _bitwise(op.logical_or, op.bitwise_or),
    "bitwise_xor": _bitwise(op.logical_xor, op.bitwise_xor),
    "bitwise_left_shift": _shift(op.left_shift),
    "bitwise_right_shift": _shift(op.right_shift),
    "eq": _comparison(op.equal),
    "ne": _comparison(op.not_equal),
    "lt": _comparison(op.less),
    "le": _comparison(op.less_equal),
    "gt": _comparison(op.greater),
    "ge": _comparison(op.greater_equal),
}

_BOTH = ("Tensor", "Scalar")
_SHIFTS = ("Tensor", "Tensor_Scalar", "Scalar_Tensor")
_FORMS = {"bitwise_left_shift": _SHIFTS, "bitwise_right_shift": _SHIFTS}

TABLE: dict[str, Converter] = {
    **{
        f"{name}.{form}": converter
        for name, converter in _BINARY.items()
        for form in _FORMS.get(name, _BOTH)
    },
    "logical_and.default": _logical(op.logical_and),
    "logical_or.default": _logical(op.logical_or),
    "logical_xor.default": _logical(op.logical_xor),
    "logical_not.default": lambda emit, call: emit(op.logical_not, emit.cast(call.self, "bool")),
    "bitwise_not.default": _bitwise_not,
    "isnan.default": _is_special(op.isnan),
    "isinf.default": _is_special(op.isinf),
}
