"""Turn the weights into arguments of ``main``.

Constants inside TVM's executable are parsed and copied when it is loaded, and each prints a log
line. As arguments they can lie in a section of the library that is mapped into memory, shared
between processes and read when they are first needed.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.graph.constants import value_of

_ATTRIBUTE = "tvmlcnn.weights"


@mutator
class _Lift(PyExprMutator):
    def __init__(self, mod: tvm.IRModule, places: dict[tvm.ir.GenericConst, relax.Expr]) -> None:
        super().__init__(mod)
        self.places = places

    def visit_generic_const_(self, const: tvm.ir.GenericConst) -> relax.Expr:
        return self.places.get(const, const)


def lift_weights(mod: tvm.IRModule) -> tvm.IRModule:
    """Move each tensor constant of ``main`` into its last argument, a tuple.

    Equal constants become one weight. `weights_of` returns the arrays.
    """
    main = mod["main"]
    found: dict[tvm.ir.GenericConst, int] = {}
    order: list[tvm.ir.GenericConst] = []
    by_content: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def visit(expr: relax.Expr) -> None:
        array = value_of(expr)
        if array is not None and expr not in found:
            key = (str(array.dtype), array.shape, array.tobytes())
            if key not in by_content:
                by_content[key] = len(order)
                order.append(expr)
            found[expr] = by_content[key]

    relax.analysis.post_order_visit(main, visit)
    if not order:
        return mod.with_attr(_ATTRIBUTE, [])
    weights = relax.Var("weights", relax.TupleType([const.ty for const in order]))
    places = {const: relax.TupleGetItem(weights, index) for const, index in found.items()}
    body = _Lift(mod, places).visit_expr(main.body)
    lifted = relax.Function([*main.params, weights], body, main.ret_ty, main.is_pure, main.attrs)
    mod = tvm.IRModule({**mod.functions, mod.get_global_var("main"): lifted}, attrs=mod.attrs)
    mod = relax.transform.Normalize()(mod)
    return mod.with_attr(_ATTRIBUTE, [const.value for const in order])


def weights_of(mod: tvm.IRModule) -> list[np.ndarray]:
    """Return the arrays that `lift_weights` took out of the module, in the tuple's order."""
    return [tensor.numpy() for tensor in mod.attrs[_ATTRIBUTE]]


def without_weights(mod: tvm.IRModule) -> tvm.IRModule:
    """Return the module without the arrays, as the code generator takes it."""
    return mod.without_attr(_ATTRIBUTE)
