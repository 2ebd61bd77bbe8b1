"""Building a function anew, where a variable may be held in another form until it is needed.

A pass that computes values in another form, and lets what follows work on that form, need not
know who else reads a value: it is brought into the old form where something asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import tvm
from tvm import relax

from .variables import bindings, bound, with_operands

Form = TypeVar("Form")


class Rebuilding(Generic[Form]):
    """The function that is being built.

    Attributes
    ----------
    builder : relax.BlockBuilder
    forms : dict
        The other form of a variable of the old function.
    rewrites : dict
        By operator: returns the other form of the result, or a list of those of its parts, an
        expression that is the result in its old form, or None where the call is to stay. Each takes
        this object, the variable, the call.
    lower : callable
        Emits the old form of the other one. Takes this object, the variable and the form.
    """

    def __init__(
        self,
        rewrites: dict[str, Callable[..., Form | list[Form] | relax.Expr | None]],
        lower: Callable[..., relax.Expr],
    ) -> None:
        self.builder = relax.BlockBuilder()
        self.forms: dict[relax.Expr, Form] = {}
        self.rewrites, self.lower = rewrites, lower
        self._plain: dict[relax.Expr, relax.Expr] = {}
        self._tuples: dict[relax.Expr, relax.Tuple] = {}
        self._parts: dict[relax.Expr, list[Form]] = {}

    def form(self, expr: relax.Expr) -> Form | None:
        """Return the other form of an expression of the old function, if it is held in one."""
        return self.forms.get(expr) if isinstance(expr, relax.Var) else None

    def plain(self, expr: relax.Expr) -> relax.Expr:
        """Return an expression of the old function in its old form."""
        if isinstance(expr, relax.Var):
            if expr in self._tuples and expr not in self._plain:
                self._plain[expr] = self.emit(self.plain(self._tuples[expr]), expr)
            if expr in self._parts and expr not in self._plain:
                parts = [self.lower(self, expr, part) for part in self._parts[expr]]
                self._plain[expr] = self.emit(relax.Tuple(parts), expr)
            if expr not in self._plain:
                self._plain[expr] = self.lower(self, expr, self.forms[expr])
            return self._plain[expr]
        return with_operands(expr, self.plain)

    def emit(self, expr: relax.Expr, var: relax.Expr) -> relax.Var:
        """Emit an expression to a variable of the name of an old one."""
        return bound(self.builder, expr, var)

    def bind(self, var: relax.Var, value: relax.Expr) -> None:
        """Give a variable of the old function its new value."""
        named = isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.Op)
        rewrite = self.rewrites.get(value.op.name) if named else None
        found = rewrite(self, var, value) if rewrite else None
        if isinstance(value, relax.Tuple):
            self._tuples[var] = value
            return
        if isinstance(value, relax.TupleGetItem) and value.tuple_value in self._parts:
            found = self._parts[value.tuple_value][value.index]
        elif isinstance(value, relax.TupleGetItem) and value.tuple_value in self._tuples:
            value = self._tuples[value.tuple_value].fields[value.index]
        if isinstance(value, relax.Var) and value in self.forms:
            found = self.forms[value]
        if found is None:
            self._plain[var] = self.emit(self.plain(value), var)
        elif isinstance(found, relax.Expr):
            self._plain[var] = found
        elif isinstance(found, list):
            self._parts[var] = found
        else:
            self.forms[var] = found

    def run(self, mod: tvm.IRModule) -> tvm.IRModule:
        """Return the module with its ``main`` built anew."""
        main = mod["main"]
        params = [relax.Var(param.name, param.ty) for param in main.params]
        self._plain.update(zip(main.params, params, strict=True))
        with self.builder.function("main", params):
            with self.builder.dataflow():
                for binding in bindings(main):
                    self.bind(binding.var, binding.value)
                body = self._tuples.get(main.body.body, main.body.body)
                result = self.builder.emit_output(self.plain(body))
            self.builder.emit_func_output(result)
        return with_main(mod, self.builder.get()["main"])


def with_main(mod: tvm.IRModule, built: relax.Function) -> tvm.IRModule:
    """Return a module with another ``main``, which gets the attributes of the old one."""
    functions = {v: f for v, f in mod.functions.items() if v.name_hint != "main"}
    functions[mod.get_global_var("main")] = built.with_attrs(mod["main"].attrs)
    return relax.transform.DeadCodeElimination()(tvm.IRModule(functions, attrs=mod.attrs))
