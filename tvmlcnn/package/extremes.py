"""The larger and the smaller of two numbers by one instruction, where a core has one for NaN.

A comparison with NaN is false, and what is chosen by one takes two instructions, or four where NaN
is asked for. ARM's FMAX and FMIN give NaN where either operand is NaN (Arm, "Architecture Reference
Manual"), as torch does; x86's give the second operand, which LLVM knows a comparison to be.
"""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.ir import Call, Expr, Op

from .mapped import mapped

_MAXIMUM, _MINIMUM = "llvm.maximum", "llvm.minimum"


def extremes_by_instruction(kernels: tvm.IRModule) -> tvm.IRModule:
    """Return kernels whose extremes of floating point numbers are instructions.

    Parameters
    ----------
    kernels : tvm.IRModule
        Lowered as far as intrinsics, which TVM no longer simplifies.
    """
    # Functions of vectors bound what they take, which is seen when they are lowered.
    lowered = tirx.transform.LowerIntrin()(mapped(kernels, [(Call, _exact)]))
    maximum = (tirx.Max, lambda node: _instruction(_MAXIMUM, node, node.a, node.b))
    minimum = (tirx.Min, lambda node: _instruction(_MINIMUM, node, node.a, node.b))
    return mapped(lowered, [maximum, minimum])


def _exact(call: Call) -> Expr:
    """Return the instruction of an exact extreme, and any other call as it is."""
    name = call.op.name if isinstance(call.op, Op) else ""
    if name == "tirx.exact_maximum":
        return _instruction(_MAXIMUM, call, *call.args)
    if name == "tirx.exact_minimum":
        return _instruction(_MINIMUM, call, *call.args)
    return call


def _instruction(name: str, node: Expr, left: Expr, right: Expr) -> Expr:
    dtype = str(node.ty.dtype)
    if not dtype.startswith("float"):
        return node
    return tirx.call_llvm_pure_intrin(dtype, name, left, right)
