"""Instructions of bfloat16, for which TVM has no types where it makes code.

TVM turns bfloat16 into its bits, as uint16: what widens is a shift, but what rounds would be five
instructions, and those that multiply have operands of a type that it cannot name. Here rounding is
a call that its passes know nothing of, which becomes one of a function in LLVM's own language, as
products do; LLVM puts these in the places where they are called.

Importing this file tells TVM of the call.
"""

from __future__ import annotations

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Call, Expr, register_op_attr
from tvm.ir.op import _ffi_api
from tvm.tirx import PrimFunc

from tvmlcnn.targets import BFLOAT16, FLOAT32
from tvmlcnn.vector_math.expressions import cast, like

_ROUND, _WIDEN = "tirx.bfloat16_bits", "tirx.bfloat16_number"
_BITS = "uint16"
_LANES = (1, 2, 4, 8, 16, 32, 64)
# Of vdpbf16ps, by the lanes of its sums (Intel, "Software Developer's Manual", VDPBF16PS). Numbers
# below 2^-126 count as zero in it.
_PRODUCTS = {4: 128, 8: 256, 16: 512}


def is_in(kernels: tvm.IRModule) -> bool:
    """Tell whether any of the kernels takes or returns bfloat16."""
    return any(
        str(buffer.ty.dtype) == BFLOAT16.name
        for function in kernels.functions.values()
        for buffer in function.params
    )


def as_bits(kernels: tvm.IRModule) -> tvm.IRModule:
    """Return kernels that keep bfloat16 as its bits, and widen and round where they compute."""
    functions = {
        variable: _as_bits(function) if isinstance(function, PrimFunc) else function
        for variable, function in kernels.functions.items()
    }
    return tvm.IRModule(functions, attrs=kernels.attrs)


def _as_bits(function: PrimFunc) -> PrimFunc:
    def cast(node: tirx.Cast) -> Expr:
        if _is_one(node):
            return _call(node.ty.dtype, _ROUND, _as_float(node.value))
        return _as_type(node.value, node.ty.dtype) if _is_one(node.value) else node

    def number(node: tirx.FloatImm) -> Expr:
        if not _is_one(node):
            return node
        return _call(node.ty.dtype, _ROUND, tirx.FloatImm(FLOAT32.name, node.value))

    body = tvm_ffi.structural_map(function.body, ((tirx.Cast, cast), (tirx.FloatImm, number)))
    # No type of an expression or a buffer can be changed alone.
    text = tvm.ir.save_json(function.with_body(body))
    return tvm.ir.load_json(text.replace(f'"{BFLOAT16.name}', f'"{_BITS}'))


def _as_float(value: Expr) -> Expr:
    return value if str(value.ty.dtype) == FLOAT32.name else tirx.Cast(FLOAT32.name, value)


def _as_type(value: Expr, dtype: str) -> Expr:
    wide = _call(FLOAT32.name, _WIDEN, value)
    return wide if str(dtype) == FLOAT32.name else tirx.Cast(dtype, wide)


def _is_one(expr: Expr) -> bool:
    return str(expr.ty.dtype) == BFLOAT16.name


def _call(dtype: str, name: str, value: Expr) -> Expr:
    return tirx.call_intrin(dtype, name, value)


def product(sums: Expr, data: Expr, weights: Expr, lanes: int) -> Expr:
    """Return sums of float32 to which the products of two bfloat16 each were added.

    Parameters
    ----------
    sums : Expr
        A vector of float32.
    data, weights : Expr
        The pairs, as int32, whose lower half comes first.
    lanes : int
        Of all of them.
    """
    return tirx.call_pure_extern(
        f"float32x{lanes}", f"tvmlcnn_vdpbf16ps_{lanes}", *(sums, data, weights)
    )


def _vector(lanes: int, element: str) -> str:
    return element if lanes == 1 else f"<{lanes} x {element}>"


def _rounding(lanes: int) -> str:
    wide, narrow, bits = (_vector(lanes, each) for each in ("float", "bfloat", "i16"))
    return f"""
define linkonce_odr {bits} @tvmlcnn_bfloat16_{lanes}({wide} %x) alwaysinline {{
  %rounded = fptrunc {wide} %x to {narrow}
  %bits = bitcast {narrow} %rounded to {bits}
  ret {bits} %bits
}}"""


def _multiplying(lanes: int) -> str:
    sums, pairs, each = _vector(lanes, "float"), _vector(lanes, "i32"), _vector(2 * lanes, "bfloat")
    name = f"@llvm.x86.avx512bf16.dpbf16ps.{_PRODUCTS[lanes]}"
    own = f"@tvmlcnn_vdpbf16ps_{lanes}"
    return f"""
declare {sums} {name}({sums}, {each}, {each})
define linkonce_odr {sums} {own}({sums} %c, {pairs} %a, {pairs} %b) alwaysinline {{
  %x = bitcast {pairs} %a to {each}
  %y = bitcast {pairs} %b to {each}
  %sums = call {sums} {name}({sums} %c, {each} %x, {each} %y)
  ret {sums} %sums
}}"""


def llvm_functions() -> list[str]:
    """Return the texts of LLVM's functions that lowered ones may call."""
    return [*map(_rounding, _LANES), *map(_multiplying, _PRODUCTS)]


def _register() -> None:
    def rounded(call: Call) -> Expr:
        lanes = str(call.ty.dtype).partition("x")[2] or "1"
        return tirx.call_pure_extern(call.ty.dtype, f"tvmlcnn_bfloat16_{lanes}", *call.args)

    def widened(call: Call) -> Expr:
        (bits,) = call.args
        long = cast(bits, "uint32")
        return tirx.reinterpret(call.ty.dtype, tirx.shift_left(long, like(long, 16)))

    for name, text, lower in (
        (_ROUND, "The bits of float32, rounded to bfloat16.", rounded),
        (_WIDEN, "The float32 of bits of bfloat16.", widened),
    ):
        _ffi_api.RegisterOp(name, text)
        register_op_attr(name, "TCallEffectKind", int(tirx.CallEffectKind.Pure.value))
        register_op_attr(name, "TVectorizable", True)
        register_op_attr(name, "TScriptPrinterName", name.removeprefix("tirx."))
        register_op_attr(name, "default.FLowerIntrinsic", lower)


_register()
