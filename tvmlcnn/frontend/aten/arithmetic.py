"""Arithmetic, element by element, with torch's types."""

from __future__ import annotations

import math
from collections.abc import Callable

from tvm import relax

from .emitter import Call, Converter, Emitter, Value, dtype_of
from .operands import operands

op = relax.op


def _arithmetic(
    operator: Callable[..., relax.Expr], of_bools: Callable[..., relax.Expr] | None = None
) -> Converter:
    """Compute in the type of the result."""

    def convert(emit: Emitter, call: Call) -> Value:
        left, right = operands(emit, call, call.dtype_)
        if call.dtype_ == "bool" and of_bools is not None:
            return emit(of_bools, left, right)
        alpha = call.values.get("alpha", 1)
        if alpha != 1:
            right = emit(op.multiply, right, emit.scalar(alpha, call.dtype_))
        return emit(operator, left, right)

    return convert


def _unary(operator: Callable[..., relax.Expr]) -> Converter:
    """Compute in the type of the result, to which integers are promoted."""

    def convert(emit: Emitter, call: Call) -> Value:
        return emit(operator, emit.cast(call.self, call.dtype_))

    return convert


def _rounding(operator: Callable[..., relax.Expr]) -> Converter:
    """Round to integers, which those are already."""

    def convert(emit: Emitter, call: Call) -> Value:
        return emit(operator, call.self) if "float" in call.dtype_ else call.self

    return convert


def _scaled_log(base: float) -> Converter:
    def convert(emit: Emitter, call: Call) -> Value:
        value = emit(op.log, emit.cast(call.self, call.dtype_))
        return emit(op.multiply, value, emit.scalar(1 / math.log(base), call.dtype_))

    return convert


def _divide(emit: Emitter, call: Call) -> Value:
    left, right = operands(emit, call, call.dtype_)
    mode: Value = call.values.get("rounding_mode")
    if "float" not in call.dtype_:
        return _integer_quotient(emit, left, right, mode)
    quotient = emit(op.divide, left, right)
    return (
        quotient if mode is None else emit({"floor": op.floor, "trunc": op.trunc}[mode], quotient)
    )


def _integer_quotient(emit: Emitter, left: Value, right: Value, mode: str) -> Value:
    if mode == "floor" or dtype_of(left).startswith("uint"):
        return emit(op.floor_divide, left, right)
    magnitude = emit(op.floor_divide, emit(op.abs, left), emit(op.abs, right))
    signs = emit(op.multiply, emit(op.sign, left), emit(op.sign, right))
    return emit(op.multiply, magnitude, signs)


def _remainder(mode: str) -> Converter:
    """Return what a division leaves whose quotient is rounded down, or toward zero."""

    def convert(emit: Emitter, call: Call) -> Value:
        left, right = operands(emit, call, call.dtype_)
        if "float" not in call.dtype_:
            quotient = _integer_quotient(emit, left, right, mode)
        else:
            rounded = {"floor": op.floor, "trunc": op.trunc}[mode]
            quotient = emit(rounded, emit(op.divide, left, right))
        return emit(op.subtract, left, emit(op.multiply, quotient, right))

    return convert


def _power(emit: Emitter, call: Call) -> Value:
    """Raise to a power; to small whole ones and halves as exactly as torch does."""
    base, exponent = call.self, call.exponent
    dtype = call.dtype_
    if not isinstance(exponent, int | float):
        return _general_power(emit, emit.cast(base, dtype), emit.cast(exponent, dtype), dtype)
    base = emit.cast(base, dtype)
    if exponent == 0:
        return emit(op.full, call.shape_, emit.scalar(1, dtype), dtype)
    if exponent in (0.5, -0.5):
        return emit(op.sqrt if exponent > 0 else op.rsqrt, base)
    whole = exponent == int(exponent) if math.isfinite(exponent) else False
    if whole and (abs(exponent) <= 8 if "float" in dtype else exponent > 0):
        result, square, left = None, base, abs(int(exponent))
        while left:  # by repeated squaring
            if left % 2:
                result = square if result is None else emit(op.multiply, result, square)
            left //= 2
            if left:
                square = emit(op.multiply, square, square)
        return result if exponent > 0 else emit(op.divide, emit.scalar(1, dtype), result)
    return _general_power(emit, base, emit.scalar(exponent, dtype), dtype)


def _general_power(emit: Emitter, base: Value, exponent: Value, dtype: str) -> Value:
    """Raise to any power; integers as float64, which holds them up to 2^53."""
    if "float" in dtype:
        return emit(op.power, base, exponent)
    real = emit(op.power, emit.cast(base, "float64"), emit.cast(exponent, "float64"))
    zero, infinite = emit.scalar(0, "float64"), emit(op.isinf, real)  # zero to less than zero
    return emit.cast(emit(op.where, infinite, zero, real), dtype)


def _reciprocal(emit: Emitter, call: Call) -> Value:
    return emit(op.divide, emit.scalar(1, call.dtype_), emit.cast(call.self, call.dtype_))


def _round(emit: Emitter, call: Call) -> Value:
    """Round to the nearest integer, halves to the even one, or so many places behind the point."""
    if "float" not in call.dtype_:
        return call.self
    decimals = call.values.get("decimals", 0)
    if not decimals:
        return emit(op.round, call.self)
    power = emit.scalar(10.0 ** abs(decimals), call.dtype_)
    there, back = (op.multiply, op.divide) if decimals > 0 else (op.divide, op.multiply)
    return emit(back, emit(op.round, emit(there, call.self, power)), power)


def _clamp(emit: Emitter, call: Call) -> Value:
    data, dtype = emit.cast(call.self, call.dtype_), call.dtype_
    low, high = call.min, call.max
    numbers = all(isinstance(bound, int | float | None) for bound in (low, high))
    if numbers and dtype == "float32":
        low, high = (-math.inf if low is None else low), (math.inf if high is None else high)
        return emit(op.clip, data, float(low), float(high))
    largest, least = (
        (op.maximum, op.minimum) if dtype != "bool" else (op.logical_or, op.logical_and)
    )
    if low is not None:
        data = emit(largest, data, emit.cast(low, dtype))
    return data if high is None else emit(least, data, emit.cast(high, dtype))


def _where(emit: Emitter, call: Call) -> Value:
    values = (emit.cast(call.values[name], call.dtype_) for name in ("self", "other"))
    return emit(op.where, emit.cast(call.condition, "bool"), *values)


def _sign(emit: Emitter, call: Call) -> Value:
    if call.dtype_ == "bool":
        return call.self
    if call.dtype_.startswith("uint"):
        return emit.cast(emit.cast(call.self, "bool"), call.dtype_)
    return emit(op.sign, call.self)


def _negative(emit: Emitter, call: Call) -> Value:
    if call.dtype_.startswith("uint"):
        return emit(op.subtract, emit.scalar(0, call.dtype_), call.self)
    return emit(op.negative, call.self)


def _absolute(emit: Emitter, call: Call) -> Value:
    signed = not call.dtype_.startswith("uint") and call.dtype_ != "bool"
    return emit(op.abs, call.self) if signed else call.self


def _cast(emit: Emitter, call: Call) -> Value:
    """Convert the type; a float becomes an integer toward zero."""
    return emit.cast(call.self, call.dtype_)


_BINARY: dict[str, Converter] = {
    "add": _arithmetic(op.add, op.logical_or),
    "sub": _arithmetic(op.subtract),
    "mul": _arithmetic(op.multiply, op.logical_and),
    "div": _divide,
    "remainder": _remainder("floor"),
    "fmod": _remainder("trunc"),
}

TABLE: dict[str, Converter] = {
    **{
        f"{name}.{form}": converter
        for name, converter in _BINARY.items()
        for form in ("Tensor", "Scalar")
    },
    "div.Tensor_mode": _divide,
    "div.Scalar_mode": _divide,
    "maximum.default": _arithmetic(op.maximum, op.logical_or),
    "minimum.default": _arithmetic(op.minimum, op.logical_and),
    "atan2.default": _arithmetic(op.atan2),
    "pow.Tensor_Tensor": _power,
    "pow.Tensor_Scalar": _power,
    "pow.Scalar": _power,
    "reciprocal.default": _reciprocal,
    "round.default": _round,
    "round.decimals": _round,
    "clamp.default": _clamp,
    "clamp.Tensor": _clamp,
    "where.self": _where,
    "sign.default": _sign,
    "neg.default": _negative,
    "abs.default": _absolute,
    "_to_copy.default": _cast,
    "log2.default": _scaled_log(2),
    "log10.default": _scaled_log(10),
    "ceil.default": _rounding(op.ceil),
    "floor.default": _rounding(op.floor),
    "trunc.default": _rounding(op.trunc),
    **{
        f"{name}.default": _unary(operator)
        for name, operator in {
            "sqrt": op.sqrt,
            "rsqrt": op.rsqrt,
            "exp": op.exp,
            "log": op.log,
            "erf": op.erf,
            "sin": op.sin,
            "cos": op.cos,
            "tan": op.tan,
            "asin": op.asin,
            "acos": op.acos,
            "atan": op.atan,
            "tanh": op.tanh,
            "asinh": op.asinh,
            "acosh": op.acosh,
            "atanh": op.atanh,
            "sigmoid": op.sigmoid,
        }.items()
    },
}
