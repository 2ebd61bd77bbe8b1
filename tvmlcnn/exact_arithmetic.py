"""Arithmetic of floating point numbers that TVM does not simplify by the rules of real ones.

TVM makes false of ``x != x``, 0 of ``x - x``, ``x * 0`` and ``0 / x``, x of ``x + y - y``, and
``y <= x`` of ``not x < y``; where it compiles ``!=``, NaN is not unequal to anything. What is
written here are calls that its simplifier knows nothing of. At the very end, where nothing is
simplified any more, they become the operators that they stand for, and cost nothing.

Importing this file tells TVM of the calls.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tvm import tirx
from tvm.ir import Call, Expr, register_op_attr
from tvm.ir.op import _ffi_api

from tvmlcnn.vector_math.expressions import let


def _extreme(wins: Callable[[Expr, Expr], Expr], left: Expr, right: Expr) -> Expr:
    """Return the one of two elements that wins; NaN where either is.

    A comparison with NaN is false, so that a second NaN is returned. TVM's own extremes return
    whichever is a number on a GPU.
    """
    return let(
        left,
        lambda first: let(
            right,
            lambda second: tirx.Select(
                tirx.EQ(first, first), tirx.Select(wins(first, second), first, second), first
            ),
        ),
    )


_BINARY: dict[str, Callable[[Expr, Expr], Expr]] = {
    "tirx.exact_subtract": tirx.Sub,
    "tirx.exact_maximum": partial(_extreme, tirx.GT),
    "tirx.exact_minimum": partial(_extreme, tirx.LT),
    "tirx.exact_equal": tirx.EQ,
    "tirx.exact_less": tirx.LT,
    "tirx.exact_less_equal": tirx.LE,
}
_OF_INTEGERS = {**_BINARY, "tirx.exact_maximum": tirx.Max, "tirx.exact_minimum": tirx.Min}
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


def maximum(left: Expr, right: Expr) -> Expr:
    """Return the larger one of two elements; NaN where either is."""
    return _call("tirx.exact_maximum", left, right, left.ty.dtype)


def minimum(left: Expr, right: Expr) -> Expr:
    """Return the smaller one of two elements; NaN where either is."""
    return _call("tirx.exact_minimum", left, right, left.ty.dtype)


def _call(name: str, left: Expr, right: Expr, dtype: str) -> Expr:
    """Return the call for floating point numbers; others TVM simplifies rightly."""
    if not str(left.ty.dtype).startswith("float"):
        return _OF_INTEGERS[name](left, right)
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
        register_op_attr(name, "TScriptPrinterName", name.removeprefix("tirx."))
        lowered = lower if name in _BINARY else lambda call: call.args[0]
        register_op_attr(name, "default.FLowerIntrinsic", lowered)


_register()
