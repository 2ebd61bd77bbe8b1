"""Moving codes instead of the numbers that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tvm import relax

from tvmlcnn.graph.quantized_forms import Codes, Form, Graph, Weights

_OF_ONE = ("relax.reshape", "relax.strided_slice", "relax.take", "relax.nn.max_pool2d")
"""Operators that take the numbers of one tensor as they are."""


def _permute_dims(graph: Graph, var: relax.Var, call: relax.Call) -> Form | None:
    form = graph.form(call.args[0])
    if not isinstance(form, Weights):
        return _move(graph, var, call)
    axes = None if call.attrs.axes is None else [int(axis) for axis in call.attrs.axes]
    return Weights(form.integers.transpose(axes), form.scales.transpose(axes))


def _move(graph: Graph, var: relax.Var, call: relax.Call) -> Form | None:
    form = graph.form(call.args[0])
    if not isinstance(form, Codes):
        return None
    others = [graph.plain(arg) for arg in call.args[1:]]
    new = relax.Call(call.op, [form.expr, *others], call.attrs, call.ty_args)
    return replace(form, expr=graph.emit(new, var))


def _split(graph: Graph, var: relax.Var, call: relax.Call) -> list[Form] | None:
    form = graph.form(call.args[0])
    if not isinstance(form, Codes):
        return None
    new = relax.Call(call.op, [form.expr], call.attrs, call.ty_args)
    parts = graph.emit(new, var)
    count = len(call.ty.fields)
    taken = (graph.emit(relax.TupleGetItem(parts, number), var) for number in range(count))
    return [replace(form, expr=part) for part in taken]


def _concat(graph: Graph, var: relax.Var, call: relax.Call) -> Form | None:
    fields: Sequence[relax.Expr] = getattr(call.args[0], "fields", ())
    forms = [graph.form(field) for field in fields]
    found = [form for form in forms if isinstance(form, Codes)]
    if len(found) < len(forms) or len({(form.code, form.dtype) for form in found}) != 1:
        return None
    new = relax.op.concat([form.expr for form in found], int(call.attrs.axis))
    return replace(found[0], expr=graph.emit(new, var))


MOVES: dict[str, Callable[..., Form | list[Form] | None]] = {
    "relax.permute_dims": _permute_dims,
    "relax.concat": _concat,
    "relax.split": _split,
    **dict.fromkeys(_OF_ONE, _move),
}
"""What becomes of operators that only move numbers, or take the greatest."""
