"""Let a convolution apply what stands alone before it, as DenseNet's batch norm and ReLU do.

Multiplications and additions by channel and ReLUs between a tensor that something else reads as
well, or that no convolution computes, and a convolution would be a kernel of their own. They
become a prologue: the convolution applies them when it reads its input.
"""

from __future__ import annotations

from collections import Counter

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.elementwise import BY_RELAX
from tvmlcnn.graph import operators
from tvmlcnn.graph.constants import is_call_of, value_of


def take_prologues(mod: tvm.IRModule) -> tvm.IRModule:
    """Move prologues into the calls of ``tvmlcnn.conv2d`` of ``main``."""
    take = _Take(mod)
    take.builder_.update_func(mod.get_global_var("main"), take.visit_expr(mod["main"]))
    return relax.transform.DeadCodeElimination()(take.builder_.finalize())


@mutator
class _Take(PyExprMutator):
    def __init__(self, mod: tvm.IRModule) -> None:
        super().__init__(mod)
        self.values: dict[relax.Expr, relax.Expr] = {}
        self.uses: Counter[relax.Expr] = Counter()
        for block in mod["main"].body.blocks:
            for binding in block.bindings:
                self.values[binding.var] = binding.value
                relax.analysis.post_order_visit(binding.value, self._count)

    def _count(self, expr: relax.Expr) -> None:
        if isinstance(expr, relax.Var):
            self.uses[expr] += 1

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        if not is_call_of(call, operators.CONV2D) or int(call.attrs["groups"]) > 1:
            return super().visit_call_(call)
        steps: list[str] = []
        parameters: list[relax.Expr] = []
        data = call.args[0]
        while self.uses[data] == 1 and (step := self._step(self.values.get(data))):
            steps.insert(0, step)
            data, *constants = self.values[data].args
            parameters[:0] = constants
        computed = self.values.get(data)
        alone = self.uses[data] > 1 or not is_call_of(computed, operators.CONV2D)
        if not steps or not alone:
            return super().visit_call_(call)
        arguments = [self.visit_expr(data), call.args[1], *parameters]
        return relax.Call(call.op, arguments, operators.with_prologue(call.attrs, steps))

    def _step(self, value: relax.Expr | None) -> str | None:
        """Return the name of the step that a value is computed by, if it can be one."""
        if not isinstance(value, relax.Call) or not isinstance(value.op, tvm.ir.Op):
            return None
        by_channel = all(
            value_of(arg) is not None and [int(n) for n in arg.ty.shape][1:3] == [1, 1]
            for arg in value.args[1:]
        )
        known = BY_RELAX.get(value.op.name)
        if known is None or not known.prologue or not by_channel:
            return None
        # One channel may become many, which is nothing that a channel goes through when it is read.
        same = [int(n) for n in value.ty.shape] == [int(n) for n in value.args[0].ty.shape]
        return value.op.name if same else None
