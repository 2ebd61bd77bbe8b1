"""Which layer of the torch module an operator comes from, told by the name of its variable.

A variable that holds a layer's result is called ``_LAYER:NODE``: the layer's path in the module
and the name of the node in torch's graph, which tells the calls of one layer apart. (TVM makes the
names of a CUDA kernel's arguments from it, which must not begin with a digit.) Passes that
keep variables keep the names with them; one that builds a new function says which of its
variables take the place of which old ones. TVM's own names (``lv1``) have no colon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from .constants import is_call_of


def layer_of(var: relax.Var) -> str | None:
    """Return the layer whose result the variable holds, None where no layer is known."""
    return layer_named(str(var.name))


def layer_named(variable: str) -> str | None:
    """Return the layer whose result a variable of this name holds, None where none is known."""
    layer, colon, _ = variable.rpartition(":")
    return layer.removeprefix("_") if colon else None


def name_of(layer: str, node: str) -> str:
    """Return the name of a variable that holds what a node of torch's graph computes."""
    return f"_{layer}:{node}"


def bound(builder: relax.BlockBuilder, expr: relax.Expr, old: relax.Expr) -> relax.Var:
    """Emit an expression to a variable of the same layer as an old one."""
    if not isinstance(old, relax.Var):
        return builder.emit(expr)
    return emitted(builder, expr, str(old.name))


def emitted(builder: relax.BlockBuilder, expr: relax.Expr, name: str) -> relax.Var:
    """Emit an expression to a variable of a name; TVM's ``emit`` would lose its dots."""
    value = builder.normalize(expr)
    var = relax.DataflowVar(name, value.ty)
    builder.emit_normalized(relax.VarBinding(var, value))
    return var


def with_operands(expr: relax.Expr, operand: Callable[[relax.Expr], relax.Expr]) -> relax.Expr:
    """Return a call, a tuple or an item of one with what ``operand`` makes of what it reads."""
    if isinstance(expr, relax.Call):
        return relax.Call(expr.op, [operand(arg) for arg in expr.args], expr.attrs, expr.ty_args)
    if isinstance(expr, relax.Tuple):
        return relax.Tuple([operand(field) for field in expr.fields])
    if isinstance(expr, relax.TupleGetItem):
        return relax.TupleGetItem(operand(expr.tuple_value), expr.index)
    return expr


def named(function: relax.Function, pairs: Iterable[tuple[relax.Var, str]]) -> relax.Function:
    """Name variables, each after the layer and node that it holds the result of.

    What stays without a name is a step on the way to the next variable that reads it, and gets
    that one's name: a layer of several operators is known in all of them. Transposes, which
    change the layout between layers, are of none.

    Parameters
    ----------
    function : relax.Function
    pairs : iterable of (relax.Var, str)
        Variables that `function` binds, and their new names; the first name of a variable holds.
        Names without a colon are passed over.
    """
    names: dict[relax.Var, str] = {}
    for var, name in pairs:
        if ":" in name:
            names.setdefault(var, name)
    readers: dict[relax.Var, str] = {}
    taken: set[str] = set()
    reserved = set(names.values())
    chosen: dict[relax.Var, str] = {}
    for binding in reversed(list(bindings(function))):
        found = names.get(binding.var)
        if found is None and layer_of(binding.var) is not None:
            found = str(binding.var.name)
        if found is None and not is_call_of(binding.value, "relax.permute_dims"):
            found = readers.get(binding.var)
        if found is None:
            continue
        for var in operands(binding.value):
            readers[var] = found
        # A number must not make a name of another variable of it.
        chosen[binding.var] = found if found not in taken else unique(found, taken | reserved)
        taken.add(chosen[binding.var])
    return renamed(function, chosen)


def renamed(function: relax.Function, names: dict[relax.Var, str]) -> relax.Function:
    """Give variables that the function binds new names."""
    return _Rename(names).visit_expr(function)


def unique(name: str, taken: set[str]) -> str:
    """Return the name, with a number where it is taken, and add it to those taken."""
    number, result = 0, name
    while result in taken:
        number += 1
        result = f"{name}.{number}"
    taken.add(result)
    return result


def bindings(function: relax.Function) -> Iterator[relax.Binding]:
    """Yield the bindings of a function's variables, in order."""
    return (binding for block in function.body.blocks for binding in block.bindings)


def operands(expr: relax.Expr) -> list[relax.Var]:
    """Return the variables that an expression reads, each as often as it does."""
    found: list[relax.Expr] = []
    relax.analysis.post_order_visit(expr, found.append)
    return [expr for expr in found if isinstance(expr, relax.Var)]


@mutator
class _Rename(PyExprMutator):
    def __init__(self, names: dict[relax.Var, str]) -> None:
        super().__init__()
        self.names = names

    def visit_var_def_(self, var: relax.Var) -> relax.Var:
        return self._renamed(var, relax.Var)

    def visit_dataflow_var_def_(self, var: relax.DataflowVar) -> relax.Var:
        return self._renamed(var, relax.DataflowVar)

    def _renamed(self, var: relax.Var, kind: type[relax.Var]) -> relax.Var:
        if var not in self.names:
            return var
        new = kind(self.names[var], var.ty)
        self.set_var_remap(var, new)
        return new
