"""Bring hard sigmoids to the form that GPUs compute in one instruction.

An FFMA clamps its result to [0, 1] for nothing (PTX ISA, "fma", ``.sat``): ``relu6(x + 3) / 6`` is
``clip(x / 6 + 1/2, 0, 1)``, of which NVIDIA's compiler makes one. As written it is four of them.
What is added no longer cancels exactly: the result differs by up to 6e-8 of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.graph.constants import constant, is_call_of, value_of
from tvmlcnn.targets import FLOAT32, Device


def saturate(device: Device) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass, which leaves a module as it is where clamping is an instruction."""

    def run(mod: tvm.IRModule) -> tvm.IRModule:
        if not device.saturates:
            return mod
        made = _Saturate(mod)
        made.builder_.update_func(mod.get_global_var("main"), made.visit_expr(mod["main"]))
        return relax.transform.DeadCodeElimination()(made.builder_.finalize())

    return run


@mutator
class _Saturate(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = self.visit_expr_post_order(call)
        if not is_call_of(call, "relax.multiply"):
            return call
        factor = _scalar(call.args[1])
        if factor is None:
            return call
        bound = self._bound(call.args[0])
        if (gate := self._gate(bound, factor)) is not None:
            return gate
        # x relu6(x + 3) / 6, written so.
        if is_call_of(bound, "relax.multiply"):
            for one, other in (bound.args, reversed(bound.args)):
                if (gate := self._gate(self._bound(one), factor)) is not None:
                    return relax.op.multiply(other, self.builder_.emit(gate))
        return call

    def _gate(self, clip: relax.Expr, factor: float) -> relax.Expr | None:
        """Return what is clipped to [0, 1 / factor], times the factor, clipped to [0, 1]."""
        if not is_call_of(clip, "relax.clip"):
            return None
        data, low, high = clip.args
        # The least difference of float32: the factor is a rounded reciprocal.
        one = math.isclose(float(high.value) * factor, 1.0, rel_tol=float(np.finfo("f4").eps))
        if float(low.value) != 0.0 or not one:
            return None
        added, before = None, self._bound(data)
        if is_call_of(before, "relax.add"):
            added = _scalar(before.args[1])
        source = data if added is None else before.args[0]
        scaled = self.builder_.emit(relax.op.multiply(source, _like(factor)))
        if added is not None:
            scaled = self.builder_.emit(relax.op.add(scaled, _like(added * factor)))
        return relax.op.clip(scaled, 0.0, 1.0)

    def _bound(self, expr: relax.Expr) -> relax.Expr:
        """Return what a variable of the new function is bound to, if it is one of its own."""
        found = self.lookup_binding(expr) if isinstance(expr, relax.Var) else expr
        return expr if found is None else found


def _like(number: float) -> relax.Expr:
    return constant(np.array(number, FLOAT32.name))


def _scalar(expr: relax.Expr) -> float | None:
    """Return a constant of one element of float32."""
    value = value_of(expr)
    if value is None or value.size != 1 or value.dtype != FLOAT32.name:
        return None
    return float(value.reshape(()))
