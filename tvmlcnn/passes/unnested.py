"""Keep functions that vectors compute by polynomials from being fused into each other too deep.

TVM puts what such a function is asked for in the place of each use (see
`tvmlcnn.vector_math.expressions.let`): the time to compile a kernel grows with the power of how
deep they lie in each other. Three sines take seconds, a fourth did not end in six minutes.
"""

from __future__ import annotations

import tvm
import tvm_ffi
from tvm import relax
from tvm.ir import Call, Op
from tvm.tirx import PrimFunc

from tvmlcnn.graph.constants import is_call_of
from tvmlcnn.graph.patterns import with_pattern
from tvmlcnn.graph.permuted import OPAQUE
from tvmlcnn.graph.variables import bindings
from tvmlcnn.vector_math import FUNCTIONS

_DEEPEST = 3  # mish is a tanh of a logarithm of an exponential
_INJECTIVE = 2  # TVM's OpPatternKind up to which a function is fused with what it reads


def unnested(mod: tvm.IRModule) -> tvm.IRModule:
    """Have calls whose functions would lie too deep in each other be kernels by themselves.

    Runs where operators are TensorIR functions whose patterns are annotated. Such calls are of
    copies of their functions that are fused with nothing.
    """
    return with_pattern(mod, _too_deep(mod), OPAQUE, "_alone")


def _too_deep(mod: tvm.IRModule) -> dict[relax.Var, relax.Call]:
    """Return the calls, by their results, between which there are as many as may be fused."""
    own: dict[tvm.ir.GlobalVar, int] = {}
    depths: dict[relax.Expr, int] = {}
    found = {}
    for binding in bindings(mod["main"]):
        value = binding.value
        read = value.args[1:] if is_call_of(value, "relax.call_tir") else [value]
        deepest = max((depths.get(each, 0) for each in _variables(read)), default=0)
        if not is_call_of(value, "relax.call_tir"):
            depths[binding.var] = deepest
            continue
        function = value.args[0]
        if function not in own:
            own[function] = _count(mod[function])
        if int(mod[function].attrs.get("op_pattern", OPAQUE)) > _INJECTIVE:
            depths[binding.var] = own[function]
        elif own[function] and deepest + own[function] > _DEEPEST:
            found[binding.var] = value
            depths[binding.var] = 0
        else:
            depths[binding.var] = deepest + own[function]
    return found


def _variables(exprs: list[relax.Expr]) -> list[relax.Expr]:
    found = []
    for expr in exprs:
        if isinstance(expr, relax.Tuple):
            found += _variables(list(expr.fields))
        elif isinstance(expr, relax.TupleGetItem):
            found.append(expr.tuple_value)
        else:
            found.append(expr)
    return found


def _count(function: PrimFunc) -> int:
    """Return how many calls of such functions there are in one, of any depth."""
    calls: list[Call] = []
    tvm_ffi.structural_walk(function.body, (Call, calls.append))
    return sum(isinstance(call.op, Op) and call.op.name in FUNCTIONS for call in calls)
