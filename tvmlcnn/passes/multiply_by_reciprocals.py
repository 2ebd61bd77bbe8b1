"""Multiply by the reciprocals of constants instead of dividing by them.

Hard swish and hard sigmoid divide by six in the epilogue of a convolution. A division takes a core
five to ten times as long as a multiplication, and LLVM may not replace it, since the result may
differ in its last bit. What is rounded to whole numbers afterwards stays divided: there the last
bit may be a whole number, as of ``floor(49 * (1 / 49))``.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.elementwise import BY_RELAX
from tvmlcnn.graph.constants import constant, is_call_of, value_of
from tvmlcnn.graph.variables import bindings

_ROUNDING = ("relax.floor", "relax.ceil", "relax.trunc", "relax.round", "relax.floor_divide")
_MOVING = ("relax.reshape", "relax.permute_dims", "relax.strided_slice")


def _rounded(main: relax.Function) -> set[relax.Var]:
    """Return the variables of which whole numbers are made, element by element."""
    found: set[relax.Var] = set()
    for binding in reversed(list(bindings(main))):
        call = binding.value
        if not isinstance(call, relax.Call) or not isinstance(call.op, tvm.ir.Op):
            continue
        name = call.op.name
        rounds = name in _ROUNDING or (name == "relax.astype" and "int" in str(call.ty.dtype))
        if rounds or (binding.var in found and (name in BY_RELAX or name in _MOVING)):
            found |= {argument for argument in call.args if isinstance(argument, relax.Var)}
    return found


@mutator
class _Multiply(PyExprMutator):
    def __init__(self, mod: tvm.IRModule) -> None:
        super().__init__(mod)
        main = mod["main"]
        rounded = _rounded(main)
        self.stay = [binding.value for binding in bindings(main) if binding.var in rounded]

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        old, call = call, self.visit_expr_post_order(call)
        if not is_call_of(call, "relax.divide"):
            return call
        divisor = value_of(call.args[1])
        if divisor is None or not np.issubdtype(divisor.dtype, np.floating):
            return call
        with np.errstate(divide="ignore", over="ignore"):
            reciprocal = (1 / divisor.astype(np.float64)).astype(divisor.dtype)
        # The quotient by zero is the product with infinity, and TVM may fail where it sees a zero.
        # By what has no normal reciprocal it is another one.
        normal = np.isfinite(reciprocal) & (np.abs(reciprocal) >= np.finfo(divisor.dtype).tiny)
        stays = any(old.same_as(each) for each in self.stay)
        if not np.all((normal & (not stays)) | (divisor == 0)):
            return call
        return relax.op.multiply(call.args[0], constant(reciprocal))


def multiply_by_reciprocals(mod: tvm.IRModule) -> tvm.IRModule:
    """Replace each division of floating point numbers by a constant by a multiplication."""
    multiply = _Multiply(mod)
    multiply.builder_.update_func(mod.get_global_var("main"), multiply.visit_expr(mod["main"]))
    return multiply.builder_.finalize()
