"""Quotients by denominators from one on, as of a sigmoid, by estimates of reciprocals on ARM.

Dividing four numbers keeps a Cortex-A72 for some twenty cycles, and 32-bit ARM divides no vectors
at all. An estimate of 8 bits has twice as many after a step of Newton's method, which takes two
instructions (FRECPE and FRECPS, Arm, "Architecture Reference Manual"): after two steps the result
is off by two units in the last place at most. The reciprocal of infinity is zero.
"""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.ir import Call, Expr, Op

from tvmlcnn.targets import FLOAT32
from tvmlcnn.vector_math import RATIO
from tvmlcnn.vector_math.expressions import let

from .mapped import mapped
from .vectors import joined, lanes_of, pieces, scalar_of

_STEPS = 2
_LANES = 4
_INTRINSICS = {
    "aarch64": "llvm.aarch64.neon.frec{}.v4f32",
    "armv7l": "llvm.arm.neon.vrec{}.v4f32",
}


def ratios_by_estimates(kernels: tvm.IRModule, machine: str) -> tvm.IRModule:
    """Return kernels whose vectors of such quotients are products with reciprocals.

    Parameters
    ----------
    kernels : tvm.IRModule
        Lowered as far as intrinsics, which TVM no longer simplifies.
    machine : str
        ``"aarch64"`` or ``"armv7l"``.
    """
    intrinsic = _INTRINSICS[machine]

    def replaced(call: Call) -> Expr:
        if not isinstance(call.op, Op) or call.op.name != RATIO:
            return call
        above, below = call.args
        if scalar_of(below) != FLOAT32.name or lanes_of(below) % _LANES:
            return call

        def product(below: Expr) -> Expr:
            return above * joined([_reciprocal(part, intrinsic) for part in pieces(below, _LANES)])

        return let(below, product)

    return mapped(kernels, [(Call, replaced)])


def _reciprocal(value: Expr, intrinsic: str) -> Expr:
    """Return the reciprocals of four numbers."""
    dtype = str(value.ty.dtype)

    def call(kind: str, *operands: Expr) -> Expr:
        return tirx.call_llvm_pure_intrin(dtype, intrinsic.format(kind), *operands)

    def refined(estimate: Expr, steps: int) -> Expr:
        if not steps:
            return estimate
        return let(
            estimate * call("ps", value, estimate), lambda nearer: refined(nearer, steps - 1)
        )

    return let(call("pe", value), lambda estimate: refined(estimate, _STEPS))
