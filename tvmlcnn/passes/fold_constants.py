"""Evaluate the layout operators that the importer leaves around weights, in numpy.

TVM's own FoldConstant compiles and runs a function for each constant, which takes most of a
compilation's time; here only views and transposes of weights have to be folded.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.graph.constants import constant, is_call_of, value_of


def _reshaped(array: np.ndarray, call: relax.Call) -> np.ndarray:
    return array.reshape([int(size) for size in call.ty.shape])


def _permuted(array: np.ndarray, call: relax.Call) -> np.ndarray:
    axes = call.attrs.axes
    return np.transpose(array, None if axes is None else [int(axis) for axis in axes])


_FOLDS: dict[str, Callable[[np.ndarray, relax.Call], np.ndarray]] = {
    "relax.reshape": _reshaped,
    "relax.expand_dims": _reshaped,
    "relax.squeeze": _reshaped,
    "relax.flatten": _reshaped,
    "relax.permute_dims": _permuted,
    "relax.astype": lambda array, call: array.astype(str(call.ty.dtype)),
}


@mutator
class _Fold(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        old, call = call, self.visit_expr_post_order(call)
        for operator, fold in _FOLDS.items():
            if is_call_of(call, operator):
                array = value_of(call.args[0])
                return call if array is None else constant(fold(array, old))
        return call

    def visit_dataflow_var_(self, var: relax.DataflowVar) -> relax.Expr:
        """Put a folded constant itself where its variable is used."""
        new = self.visit_var_(var)
        bound = self.lookup_binding(new) if isinstance(new, relax.Var) else None
        return bound if bound is not None and value_of(bound) is not None else new


def fold_constants(mod: tvm.IRModule) -> tvm.IRModule:
    """Replace reshapes, transposes and casts of constants by their results."""
    fold = _Fold(mod)
    fold.builder_.update_func(mod.get_global_var("main"), fold.visit_expr(mod["main"]))
    return relax.transform.DeadCodeElimination()(fold.builder_.finalize())
