"""Element-wise functions by polynomials, which vectors compute, where LLVM calls a library.

TVM's intrinsics (``tirx.exp``) stay as they are through fusion and schedules. Where TVM lowers them
for LLVM, at the very end, those of float32, and of halves of it, become what is written here, for a
vector as for one element; other types stay calls. Importing this package tells TVM so.

Errors are those of float32 against the exact value for the same input. All functions give NaN for
NaN, and what torch gives for zero and infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tvm import tirx
from tvm.ir import Call, Expr, Op, register_op_attr
from tvm.ir.op import _ffi_api

from .exponential import exp, expm1, logistic_denominator
from .expressions import cast, let, like
from .logarithm import log, log1p
from .power import power
from .quotients import erf, tanh
from .trigonometric import cos, sin

__all__ = ["EXPM1", "FUNCTIONS", "LOGISTIC_DENOMINATOR", "POWER", "RATIO"]

EXPM1 = "tirx.expm1"
"""An intrinsic of ours: TVM has none."""
POWER = "tirx.float_power"
"""Another one: wherever TVM simplifies its own it prints a warning of exponents of 3 and more."""
LOGISTIC_DENOMINATOR = "tirx.logistic_denominator"
"""1 + e^-x."""
RATIO = "tirx.ratio"
"""A quotient by a denominator from one on, where a core may have something faster than division."""

FUNCTIONS: dict[str, Callable[..., Expr]] = {
    "tirx.cos": cos,
    "tirx.erf": erf,
    "tirx.exp": exp,
    EXPM1: expm1,
    LOGISTIC_DENOMINATOR: logistic_denominator,
    POWER: power,
    "tirx.log": log,
    "tirx.log1p": log1p,
    "tirx.sin": sin,
    "tirx.tanh": tanh,
}
"""By the name of the intrinsic."""
_KEY = "llvm.FLowerIntrinsic"
_ABOVE_TVM = 20
_PURE = int(tirx.CallEffectKind.Pure.value)


def _lower(
    call: Call, function: Callable[..., Expr], other: Callable[[Call], Expr], single: bool
) -> Expr:
    """Return what a call becomes; ``single`` where ``other`` takes no vectors."""
    element, _, lanes = str(call.ty.dtype).partition("x")
    if element == "float32":
        return _of(call.args, function)
    if element == "float16":
        return cast(_of([cast(each, "float32") for each in call.args], function), "float16")
    if not (lanes and single):
        return other(call)
    results = []
    for lane in range(int(lanes)):
        elements = [tirx.Shuffle([each], [lane]) for each in call.args]
        results.append(other(tirx.call_intrin(element, call.op.name, *elements)))
    return tirx.Shuffle(results, list(range(int(lanes))))


def _of(arguments: Sequence[Expr], function: Callable[..., Expr]) -> Expr:
    """Return what a function makes of arguments, each computed once."""
    if not arguments:
        return function()
    return let(arguments[0], lambda first: _of(arguments[1:], partial(function, first)))


def _expm1_by_sinh(call: Call) -> Expr:
    half = call.args[0] * like(call.args[0], 0.5)
    return like(half, 2) * tirx.exp(half) * tirx.sinh(half)


def _denominator_by_exp(call: Call) -> Expr:
    (x,) = call.args
    return like(x, 1) + tirx.exp(like(x, 0) - x)


def _power_of_library(call: Call) -> Expr:
    return tirx.call_intrin(str(call.ty.dtype), "tirx.pow", *call.args)


def _register() -> None:
    for name, text, lower in (
        (EXPM1, "e^x - 1.", _expm1_by_sinh),
        (LOGISTIC_DENOMINATOR, "1 + e^-x.", _denominator_by_exp),
        (POWER, "x^y.", _power_of_library),
        (RATIO, "a / b, for b from 1 on.", lambda call: call.args[0] / call.args[1]),
    ):
        _ffi_api.RegisterOp(name, text)
        register_op_attr(name, "TCallEffectKind", _PURE)
        register_op_attr(name, "TScriptPrinterName", name.removeprefix("tirx."))
        register_op_attr(name, "default.FLowerIntrinsic", lower)
    register_op_attr(RATIO, "TVectorizable", True)
    for name, function in FUNCTIONS.items():
        known = Op.get(name).get_attr(_KEY) or Op.get(name).get_attr("default.FLowerIntrinsic")
        assert known is not None, f"TVM has no {name}"
        # TVM leaves loops over what it has no vectors for, as erf, to LLVM.
        single = not Op.get(name).get_attr("TVectorizable")
        register_op_attr(name, "TVectorizable", True, _ABOVE_TVM)
        lower = partial(_lower, function=function, other=known, single=single)
        register_op_attr(name, _KEY, lower, _ABOVE_TVM)


_register()
