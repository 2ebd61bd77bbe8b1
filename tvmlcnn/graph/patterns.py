"""Calls of functions that TVM's fusion is to treat in another way than others of the same."""

from __future__ import annotations

from collections.abc import Mapping

import tvm
from tvm import relax

from .rebuilding import Rebuilding


def with_pattern(
    mod: tvm.IRModule, calls: Mapping[relax.Var, relax.Call], pattern: int, ending: str
) -> tvm.IRModule:
    """Have some calls be of copies of their functions, which have another pattern.

    Parameters
    ----------
    mod : tvm.IRModule
        Whose operators are TensorIR functions with patterns.
    calls : mapping of relax.Var to relax.Call
        By their results in ``main``.
    pattern : int
        TVM's ``OpPatternKind``.
    ending : str
        Of the copies' names.
    """
    if not calls:
        return mod
    builder = relax.BlockBuilder(mod)
    copies = {}
    for variable in {call.args[0] for call in calls.values()}:
        copy = mod[variable].with_attr("op_pattern", pattern)
        copies[variable] = builder.add_func(copy, variable.name_hint + ending)

    def rewrite(
        rebuilding: Rebuilding[None], var: relax.Var, call: relax.Call
    ) -> relax.Expr | None:
        if var not in calls:
            return None
        arguments = [rebuilding.plain(argument) for argument in call.args[1:]]
        copied = relax.Call(call.op, [copies[call.args[0]], *arguments], call.attrs, call.ty_args)
        return rebuilding.emit(copied, var)

    def lower(rebuilding: Rebuilding[None], var: relax.Expr, form: None) -> relax.Expr:
        raise AssertionError("nothing is held in another form")

    return Rebuilding({"relax.call_tir": rewrite}, lower).run(builder.get())
