"""Group the calls that become one kernel, and note what each group does for the network.

TVM's grouping gives kernels new variables, and calls one function for all groups of the same
form, so that neither names nor attributes come through it. Here the calls of the grouped module
are matched with the ungrouped ones by value numbering (Alpern, Wegman and Zadeck 1988): what
calls the same function on the same values is the same value.
"""

from __future__ import annotations

import json
from typing import Any

import tvm
from tvm import relax

from tvmlcnn.graph.kernel_calls import absorbed_in, is_kernel_call
from tvmlcnn.graph.variables import bindings, layer_named, renamed, unique

from .codes_of_joins import codes_of_joins
from .count_flops import flops_of
from .unnested import unnested

_MEMBERS = "tvmlcnn.members"


def group(mod: tvm.IRModule) -> tvm.IRModule:
    """Group the calls that become one kernel, and note which layers are in each group."""
    mod = codes_of_joins(unnested(mod))
    grouped = relax.transform.FuseOps()(mod)
    numbers = _Numbers(mod)
    main = mod["main"]
    environment = {param: numbers.of_input(i) for i, param in enumerate(main.params)}
    values: dict[int, list[relax.Var]] = {}
    for binding in bindings(main):
        number = numbers.of(binding.value, environment)
        environment[binding.var] = number
        values.setdefault(number, []).append(binding.var)

    flops, absorbed = flops_of(mod), absorbed_in(mod)
    members: dict[str, dict[str, Any]] = {}
    names: dict[relax.Var, str] = {}
    taken: set[str] = set()
    main = grouped["main"]
    environment = {param: numbers.of_input(i) for i, param in enumerate(main.params)}
    numbers.mod = grouped
    for binding in bindings(main):
        numbers.seen.clear()
        environment[binding.var] = numbers.of(binding.value, environment)
        found = [
            (same.pop(0) if len(same) > 1 else same[0])
            for number in dict.fromkeys(numbers.seen)
            if (same := values.get(number))
        ]
        computed = [str(var.name) for var in found]
        computed = [name for last in computed for name in (*absorbed.get(last, ()), last)]
        layers = dict.fromkeys(layer for n in computed if (layer := layer_named(n)) is not None)
        # TVM calls most of its new variables the same.
        names[binding.var] = unique("_" + next(reversed(layers), "kernel"), taken)
        members[names[binding.var]] = {
            "layers": list(layers),
            "bindings": computed,
            "flops": sum(flops.get(name, 0) for name in computed),
        }
    functions = {**grouped.functions, grouped.get_global_var("main"): renamed(main, names)}
    return tvm.IRModule(functions, attrs=grouped.attrs).with_attr(_MEMBERS, json.dumps(members))


def members_of(mod: tvm.IRModule) -> dict[str, dict[str, Any]]:
    """Return what `group` noted, by the name of the variable that holds a group's result.

    ``layers``, ``bindings`` and ``flops``, as `tvmlcnn.graph.kernel_calls.kernel_calls` has them.
    """
    return dict(json.loads(str(mod.attrs[_MEMBERS])))


class _Numbers:
    """Numbers values: expressions that compute the same get the same number.

    Attributes
    ----------
    mod : tvm.IRModule
        Its functions in Relax are looked into where they are called.
    seen : list of int
        Numbers of the calls of kernels that were met.
    """

    def __init__(self, mod: tvm.IRModule) -> None:
        self.mod = mod
        self.seen: list[int] = []
        self._numbers: dict[Any, int] = {}

    def of_input(self, index: int) -> int:
        """Return the number of a parameter of ``main``."""
        return self._number(("input", index))

    def of(self, expr: relax.Expr, environment: dict[relax.Var, int]) -> int:
        """Return the number of an expression; ``environment`` has those of the variables."""
        if isinstance(expr, relax.Var):
            return environment[expr]
        if isinstance(expr, relax.Tuple):
            return self._number(("tuple", *(self.of(f, environment) for f in expr.fields)))
        if isinstance(expr, relax.TupleGetItem):
            return self._number(("item", self.of(expr.tuple_value, environment), expr.index))
        if isinstance(expr, relax.Call):
            arguments = [self.of(argument, environment) for argument in expr.args]
            if isinstance(expr.op, tvm.ir.GlobalVar):
                return self._of_function(self.mod[expr.op], arguments)
            number = self._number((expr.op, *arguments))
            if is_kernel_call(expr):
                self.seen.append(number)
            return number
        if isinstance(expr, tvm.ir.GlobalVar):
            return self._number(("function", expr.name_hint))
        if isinstance(expr, relax.ShapeExpr):
            return self._number(("shape", str(expr)))
        return self._number(expr)

    def _of_function(self, function: relax.Function, arguments: list[int]) -> int:
        environment = dict(zip(function.params, arguments, strict=True))
        for binding in bindings(function):
            environment[binding.var] = self.of(binding.value, environment)
        return self.of(function.body.body, environment)

    def _number(self, key: Any) -> int:
        return self._numbers.setdefault(key, len(self._numbers))
