"""Sums and products of integers modulo a power of two, as they are written.

TVM tells LLVM that no sum of int32 leaves the type, and LLVM may make anything of one that does;
sums of integers TVM writes in another way, which terms that are shared do not survive. What is
written here are calls that its simplifier knows nothing of. In the end those of int32 become sums
of 64 bits, cut off to 32: LLVM makes of them the instructions for 32 bits, which wrap around.
Floating point numbers are added as ever.

Importing this file tells TVM of the calls.
"""

from __future__ import annotations

from collections.abc import Callable

import tvm
from tvm import te, tirx
from tvm.ir import Call, Expr, register_op_attr
from tvm.ir.op import _ffi_api

_INTEGER = "int32"
_BINARY: dict[str, Callable[[Expr, Expr], Expr]] = {
    "tirx.wrapping_add": tirx.Add,
    "tirx.wrapping_subtract": tirx.Sub,
    "tirx.wrapping_multiply": tirx.Mul,
}
_PRODUCT = "tirx.widened_product"
_PURE = int(tirx.CallEffectKind.Pure.value)


def add(left: Expr, right: Expr) -> Expr:
    """Return the sum of two elements."""
    return _call("tirx.wrapping_add", left, right)


def subtract(left: Expr, right: Expr) -> Expr:
    """Return the difference of two elements."""
    return _call("tirx.wrapping_subtract", left, right)


def multiply(left: Expr, right: Expr) -> Expr:
    """Return the product of two elements."""
    return _call("tirx.wrapping_multiply", left, right)


def widened_product(left: Expr, right: Expr) -> Expr:
    """Return the product of two elements of int16 as int32, which holds it.

    In a vector both factors are vectors before they are widened: so LLVM finds the instructions
    that widen as they multiply.
    """
    return tirx.call_intrin(_INTEGER, _PRODUCT, left, right)


total = te.comm_reducer(add, lambda dtype: tirx.const(0, dtype), name="total")
"""Returns the sum of an expression along the reduction axis ``axis``."""


def _call(name: str, left: Expr, right: Expr) -> Expr:
    if not str(left.ty.dtype).startswith("int"):
        return _BINARY[name](left, right)
    return tirx.call_intrin(left.ty.dtype, name, left, right)


def _register() -> None:
    def of_type(dtype: str, call: Call) -> list[Expr]:
        lanes = int(tvm.DataType(str(call.ty.dtype)).lanes)
        wide = dtype if lanes == 1 else f"{dtype}x{lanes}"
        return [tirx.Cast(wide, argument) for argument in call.args]

    def wrapped(call: Call) -> Expr:
        if not str(call.ty.dtype).startswith(_INTEGER):
            return _BINARY[call.op.name](*call.args)  # LLVM is told nothing of shorter ones
        return tirx.Cast(str(call.ty.dtype), _BINARY[call.op.name](*of_type("int64", call)))

    def product(call: Call) -> Expr:
        return tirx.Mul(*of_type(_INTEGER, call))

    for name in (*_BINARY, _PRODUCT):
        _ffi_api.RegisterOp(name, "Arithmetic of integers that may wrap around.")
        register_op_attr(name, "TCallEffectKind", _PURE)
        register_op_attr(name, "TVectorizable", True)
        register_op_attr(name, "TScriptPrinterName", name.removeprefix("tirx."))
        register_op_attr(name, "default.FLowerIntrinsic", product if name == _PRODUCT else wrapped)


_register()
