"""Multiply by the reciprocals of constants instead of dividing by them.

Hard swish and hard sigmoid divide by six in the epilogue of a convolution. A division takes a core
five to ten times as long as a multiplication, and LLVM may not replace it, since the result may
differ in its last bit.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.graph.constants import constant, is_call_of, value_of


@mutator
class _Multiply(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = self.visit_expr_post_order(call)
        if not is_call_of(call, "relax.divide"):
            return call
        divisor = value_of(call.args[1])
        if divisor is None or not np.issubdtype(divisor.dtype, np.floating):
            return call
        with np.errstate(divide="ignore", over="ignore"):
            reciprocal = (1 / divisor.astype(np.float64)).astype(divisor.dtype)
        # By zero, or by what has no normal reciprocal, the quotient is another than the product.
        if not np.all(
            np.isfinite(reciprocal) & (np.abs(reciprocal) >= np.finfo(divisor.dtype).tiny)
        ):
            return call
        return relax.op.multiply(call.args[0], constant(reciprocal))


def multiply_by_reciprocals(mod: tvm.IRModule) -> tvm.IRModule:
    """Replace each division of floating point numbers by a constant by a multiplication."""
    multiply = _Multiply(mod)
    multiply.builder_.update_func(mod.get_global_var("main"), multiply.visit_expr(mod["main"]))
    return multiply.builder_.finalize()
