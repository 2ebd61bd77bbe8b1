"""From torch's graph to Relax, an operator at a time."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
import tvm
from torch import fx
from tvm import relax

from tvmlcnn.errors import UserError, reason_of
from tvmlcnn.graph.constants import constant
from tvmlcnn.graph.variables import name_of as variable_name
from tvmlcnn.graph.variables import named

from .arguments import by_schema
from .aten import CONVERTERS, Call, Emitter, dtype_named
from .constants import known_values
from .decompositions import decompositions, name_of
from .known_sizes import known_sizes
from .layer_naming import Layers
from .outputs import own_output
from .refusals import REFUSED, export_refusal, refusal
from .signature import Signature, ancestors, signature_of

_MOVES = {"_to_copy.default", "clone.default", "cat.default"}
"""Operators that convert or copy elements; views do neither."""


def import_program(program: torch.export.ExportedProgram) -> tuple[tvm.IRModule, Signature]:
    """Import an exported network into Relax, its variables named after their layers.

    Composite operators are taken apart by torch, and what depends on parameters alone is computed
    by it; each of the operators left is emitted by its converter.

    Raises
    ------
    UserError
        If there is no converter for an operator, or it refuses what it is given.
    """
    try:
        program = program.run_decompositions(decompositions())
    except Exception as error:  # torch raises many types here too
        raise export_refusal(error) from error
    signature = signature_of(program)
    known = known_values(program.graph, signature.given)
    sizes = known_sizes(program.graph, known)
    if sizes is not None:
        given: dict[fx.Node, Any] = {**signature.given, **sizes}
        known = known_values(program.graph, given)
    builder = relax.BlockBuilder()
    emitter = Emitter(builder)
    parameters = [_parameter(node) for node in signature.inputs]
    values: dict[fx.Node, Any] = {**dict(zip(signature.inputs, parameters, strict=True)), **known}
    layers = Layers(program.graph)
    names: list[tuple[relax.Var, str]] = []
    needed = ancestors([node for _, node in signature.outputs])
    failure: Exception | None = None
    with builder.function("main", parameters):
        with builder.dataflow():
            try:
                for node in program.graph.nodes:
                    if node.op == "call_function" and node in needed and node not in values:
                        values[node] = _converted(emitter, node, values)
                        name = variable_name(layers.of(node), node.name)
                        found = values[node] if isinstance(values[node], list) else [values[node]]
                        names += [(value, name) for value in found if isinstance(value, relax.Var)]
                results = [_expr(values, node) for _, node in signature.outputs]
            except Exception as error:  # TVM complains of a function that was not ended
                failure, results = error, []
            taken: list[relax.Expr] = list(parameters)
            own = [own_output(builder, result, taken) for result in results]
            output = builder.emit_output(relax.Tuple(own))
        builder.emit_func_output(output)
    if failure is not None:
        raise failure
    mod = builder.get()
    main = mod["main"]
    inputs = set(parameters)
    main = named(main, ((var, name) for var, name in names if var not in inputs))
    return tvm.IRModule({mod.get_global_var("main"): main}), signature


def _parameter(node: fx.Node) -> relax.Var:
    value = node.meta["val"]
    dtype = dtype_named(value.dtype)
    if dtype is None or value.layout != torch.strided:
        raise UserError(f"the input {node.name!r} is of {value.dtype}, which cannot be compiled")
    if any(isinstance(size, torch.SymInt) for size in value.shape):
        raise UserError(
            f"the input {node.name!r} has a size that is not known; give its shape",
            parameters=("input_shape",),
        )
    return relax.Var(node.name, relax.TensorType([int(n) for n in value.shape], dtype))


def _converted(emitter: Emitter, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
    """Return what a node computes, in Relax."""
    operator = name_of(node.target)
    if operator == "getitem":
        (source, index) = node.args
        result = values[cast(fx.Node, source)][cast(int, index)]
        if result is None:
            operator = name_of(cast(fx.Node, source).target)
            raise refusal(node, operator, "only its first result can be had")
        return result
    narrow = _narrow(node)
    if narrow == torch.bfloat16:
        # TVM computes it as float32, without the rounding that torch does in between.
        raise refusal(node, operator, "bfloat16 is not rounded as torch does; stay in float32")
    if narrow == torch.float16 and not _moves(node):
        # TVM rounds each term of a sum, which torch keeps in float32.
        raise refusal(node, operator, "float16 is not computed as torch does; stay in float32")
    converter = CONVERTERS.get(operator)
    if converter is None:
        reason = REFUSED.get(operator, "there is no kernel for this operator")
        raise refusal(node, operator, reason)
    raw = by_schema(node)
    try:
        found = {
            name: fx.node.map_arg(value, lambda n: _expr(values, n)) for name, value in raw.items()
        }
        result = converter(emitter, Call(node, raw, {k: _plain(v) for k, v in found.items()}))
    except Exception as error:  # converters and TVM raise many types for what they do not take
        raise refusal(node, operator, reason_of(error)) from error
    _check(node, operator, result)
    return result


def _narrow(node: fx.Node) -> torch.dtype | None:
    """Return the type of half precision that a node computes in, if it does."""
    made = node.meta.get("val")
    values = made if isinstance(made, list | tuple) else [made]
    found = [getattr(value, "dtype", None) for value in values]
    return next((of for of in found if of in (torch.bfloat16, torch.float16)), None)


def _moves(node: fx.Node) -> bool:
    """Tell whether a node's elements are its first argument's, moved or converted."""
    if name_of(node.target) in _MOVES or not isinstance(node.target, torch._ops.OpOverload):
        return name_of(node.target) in _MOVES
    of_first = node.target._schema.arguments[0].alias_info
    return of_first is not None and not of_first.is_write


def _plain(value: Any) -> Any:
    """Return fx's immutable lists as plain ones."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _expr(values: dict[fx.Node, Any], node: fx.Node) -> Any:
    """Return a node's value in Relax; what torch computed becomes a constant where it is used."""
    value = values[node]
    if isinstance(value, torch.Tensor):
        if dtype_named(value.dtype) is None:
            raise UserError(f"{value.dtype} cannot be compiled")
        values[node] = constant(_array(value))
    return values[node]


def _array(value: torch.Tensor) -> np.ndarray:
    dense = value if value.layout == torch.strided else value.to_dense()
    dense = dense.detach().resolve_conj().resolve_neg().contiguous()
    return dense.numpy()


def _check(node: fx.Node, operator: str, result: Any) -> None:
    """Assert that a converter made what torch says that the operator returns."""
    expected = node.meta["val"]
    pairs = (
        zip(result, expected, strict=False) if isinstance(result, list) else [(result, expected)]
    )
    for made, wanted in pairs:
        if made is not None:
            has = tuple(int(n) for n in made.ty.shape), str(made.ty.dtype)
            should = tuple(int(n) for n in wanted.shape), dtype_named(wanted.dtype)
            assert has == should, f"{operator}: made {has}, torch's result is {should}"
