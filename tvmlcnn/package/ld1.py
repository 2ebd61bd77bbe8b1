"""ARM's LD1, which fills up to four registers and moves its address on, as functions of LLVM.

Arm, "Architecture Reference Manual", LD1 (multiple structures). LLVM has it only for functions of
its own: of plain loads it makes pairs. It would also compute every address anew from the first one;
that an address is what the instruction before left is hidden from it by a piece of assembly without
any instruction.
"""

from __future__ import annotations

from tvm import tirx
from tvm.ir import Expr
from tvm.tirx import Bind, Stmt

# LLVM's types, and its names of them, of the vectors that a register holds.
_VECTORS = {"float32x4": ("<4 x float>", "v4f32"), "float16x8": ("<8 x half>", "v8f16")}
VECTORS = frozenset(_VECTORS)
"""The types of vectors that are loaded."""
COUNTS = (3, 4)
"""So many at once: a pair is one instruction anyway."""
_BYTES = 16
_LOAD, _AFTER = "tvmlcnn_ld1", "tvmlcnn_after"


def loaded(address: Expr, count: int, dtype: str) -> tuple[list[Stmt], Expr, Expr]:
    """Return statements that load vectors, what has them all, and what has the address after.

    Parameters
    ----------
    address : tvm.ir.Expr
        A pointer to the first of them.
    count : int
        One of `COUNTS`.
    dtype : str
        One of `VECTORS`.
    """
    element, _, lanes = dtype.partition("x")
    start = tirx.Var("address", address.ty)
    name = f"{_LOAD}x{count}_{_VECTORS[dtype][1]}"
    call = tirx.call_pure_extern(f"{element}x{count * int(lanes)}", name, start)
    whole = tirx.Var("weights", call.ty)
    after = tirx.call_pure_extern(address.ty, _AFTER, start, tirx.const(_BYTES * count, "int64"))
    return [Bind(start, address), Bind(whole, call)], whole, after


def llvm_functions() -> list[str]:
    """Return the texts of LLVM's functions that lowered ones may call."""
    return [_ADDRESS, *(_loading(dtype, count) for dtype in _VECTORS for count in COUNTS)]


_ADDRESS = f"""
define linkonce_odr ptr @{_AFTER}(ptr %address, i64 %size) alwaysinline {{
  %next = getelementptr inbounds i8, ptr %address, i64 %size
  %hidden = tail call ptr asm "", "=r,0"(ptr %next)
  ret ptr %hidden
}}"""


def _loading(dtype: str, count: int) -> str:
    vector, short = _VECTORS[dtype]
    element, lanes = vector.strip("<>").split()[-1], int(dtype.partition("x")[2])
    struct = "{" + ", ".join([vector] * count) + "}"
    intrinsic = f"@llvm.aarch64.neon.ld1x{count}.{short}.p0"
    wide, half = f"<{count * lanes} x {element}>", f"<{2 * lanes} x {element}>"
    parts = [f"  %v{n} = extractvalue {struct} %all, {n}" for n in range(count)]
    last = "%v3" if count == 4 else "poison"
    return f"""
declare {struct} {intrinsic}(ptr)
define linkonce_odr {wide} @{_LOAD}x{count}_{short}(ptr %address) alwaysinline {{
  %all = call {struct} {intrinsic}(ptr %address)
{chr(10).join(parts)}
  %first = shufflevector {vector} %v0, {vector} %v1, {_order(2 * lanes)}
  %second = shufflevector {vector} %v2, {vector} {last}, {_order(2 * lanes)}
  %whole = shufflevector {half} %first, {half} %second, {_order(count * lanes)}
  ret {wide} %whole
}}"""


def _order(lanes: int) -> str:
    return f"<{lanes} x i32> <{', '.join(f'i32 {lane}' for lane in range(lanes))}>"
