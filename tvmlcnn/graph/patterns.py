"""Calls of functions that TVM's fusion is to treat in another way than others of the same."""

from __future__ import annotations

from collections.abc import Container, Mapping

import tvm
from tvm import relax

from .constants import is_call_of
from .rebuilding import Rebuilding
from .variables import bindings, operands

BROADCAST, SUMS = 1, 4
"""TVM's ``OpPatternKind``: up to it operators become part of the kernel whose sums they read, and
that of such kernels."""


class Calls:
    """The calls of TensorIR functions in ``main``, and what reads their results.

    Attributes
    ----------
    found : dict of relax.Var to relax.Call
        By their results.
    readers : dict of relax.Var to list of relax.Var
        The results of the calls that read each value.
    """

    def __init__(self, mod: tvm.IRModule) -> None:
        self._mod = mod
        self.found: dict[relax.Var, relax.Call] = {
            binding.var: binding.value
            for binding in bindings(mod["main"])
            if is_call_of(binding.value, "relax.call_tir")
        }
        self.readers: dict[relax.Var, list[relax.Var]] = {}
        for var, call in self.found.items():
            for read in operands(call):
                self.readers.setdefault(read, []).append(var)
        self._returned = frozenset(operands(mod["main"].body.body))

    def pattern(self, var: relax.Var) -> int:
        """Return TVM's ``OpPatternKind`` of what computes a result."""
        return int(self._mod[self.found[var].args[0]].attrs["op_pattern"])

    def sums_of(self, var: relax.Var, apart: Container[relax.Var] = ()) -> relax.Var | None:
        """Return the sums of the kernel that a value can be a part of, which it is made of.

        None where it is not element-wise of them alone, something else reads it or what is between,
        the network returns one of these, or what is between is to stay ``apart``.
        """
        while (
            var in self.found
            and var not in apart
            and var not in self._returned
            and len(self.readers[var]) == 1
        ):
            if self.pattern(var) == SUMS:
                return var
            before = operands(self.found[var])
            if self.pattern(var) > BROADCAST or len(before) != 1:
                return None
            (var,) = before
        return None


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
