"""Arithmetic of floating point numbers that TVM does not simplify by the rules of real ones.

TVM makes false of ``x != x``, 0 of ``x - x``, ``x * 0`` and ``0 / x``, x of ``x + y - y``, and
``y <= x`` of ``not x < y``; where it compiles ``!=``, NaN is not unequal to anything. What is
written here are calls that its simplifier knows nothing of. At the very end, where nothing is
simplified any more, they become the operators that they stand for, and cost nothing.

Importing this file tells TVM of the calls.
"""

from __future__ import annotations

from collections.abc import Callable

from tvm import tirx
from tvm.ir import Call, Expr, register_op_attr
from tvm.ir.op import _ffi_api

_BINARY: dict[str, Callable[[Expr, Expr], Expr]] = {
    "tirx.exact_subtract": tirx.Sub,
    "tirx.exact_equal": tirx.EQ,
    "tirx.exact_less": tirx.LT,
    "tirx.exact_less_equal": tirx.LE,
}
_NUMBER = "tirx.exact_number"
_PURE = int(tirx.CallEffectKind.Pure.value)


def subtract(left: Expr, right: Expr) -> Expr:
    """Return the difference of two elements."""
    return _call("tirx.exact_subtract", left, right, left.ty.dtype)


def multiply(left: Expr, right: Expr) -> Expr:
    """Return the product of two elements, either of which may be the number zero."""
    return _number(left) * _number(right)


def divide(left: Expr, right: Expr) -> Expr:
    """Return the quotient of two elements, either of which may be the number zero."""
    return _number(left) / _number(right)


def equal(left: Expr, right: Expr) -> Expr:
    """Tell whether two elements are equal."""
    return _call("tirx.exact_equal", left, right, "bool")


def not_equal(left: Expr, right: Expr) -> Expr:
    """Tell whether two elements are not equal, as NaN is not, even to itself."""
    return tirx.Not(equal(left, right))


def less(left: Expr, right: Expr) -> Expr:
    """Tell whether an element is less than another one, and neither is NaN."""
    return _call("tirx.exact_less", left, right, "bool")


def less_equal(left: Expr, right: Expr) -> Expr:
    """Tell whether an element is less than or equal to another one."""
    return _call("tirx.exact_less_equal", left, right, "bool")


def _call(name: str, left: Expr, right: Expr, dtype: str) -> Expr:
    """Return the call for floating point numbers; others TVM simplifies rightly."""
    if not str(left.ty.dtype).startswith("float"):
        return _BINARY[name](left, right)
    return tirx.call_intrin(dtype, name, left, right)


def _number(value: Expr) -> Expr:
    """Return an element, hidden if it is the number zero, which TVM makes a result of."""
    if isinstance(value, tirx.FloatImm) and value.value == 0:
        return tirx.call_intrin(value.ty.dtype, _NUMBER, value)
    return value


def _register() -> None:
    def lower(call: Call) -> Expr:
        return _BINARY[call.op.name](*call.args)

    for name in (*_BINARY, _NUMBER):
        _ffi_api.RegisterOp(name, "Arithmetic that is not simplified.")
        register_op_attr(name, "TCallEffectKind", _PURE)
        register_op_attr(name, "TVectorizable", True)
        lowered = lower if name in _BINARY else lambda call: call.args[0]
        register_op_attr(name, "default.FLowerIntrinsic", lowered)


_register()
