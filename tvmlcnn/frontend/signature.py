"""What an exported network takes and returns, by name, and what it would remember."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import fx
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind, TensorArgument
from torch.utils import _pytree as pytree

from tvmlcnn.errors import UserError


@dataclass(frozen=True)
class Signature:
    """Inputs, outputs and constants of an exported program.

    Attributes
    ----------
    inputs : tuple of torch.fx.Node
        What the user gives, in order.
    outputs : tuple of (str, torch.fx.Node)
        What the user gets, in order, with names: the keys of dicts and the places in tuples that
        lead there.
    in_collection : bool
        Whether the network returns its outputs in a collection; else there is one.
    given : dict
        The values of parameters, buffers and constants.
    """

    inputs: tuple[fx.Node, ...]
    outputs: tuple[tuple[str, fx.Node], ...]
    in_collection: bool
    given: dict[fx.Node, torch.Tensor]


def signature_of(program: torch.export.ExportedProgram) -> Signature:
    """Read a program's signature.

    Raises
    ------
    UserError
        If it returns what is no tensor, or keeps a state that its results depend on.
    """
    nodes = {node.name: node for node in program.graph.nodes}
    given: dict[fx.Node, torch.Tensor] = {}
    inputs: list[fx.Node] = []
    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.USER_INPUT:
            if isinstance(spec.arg, TensorArgument):
                inputs.append(nodes[spec.arg.name])
        elif isinstance(spec.arg, TensorArgument) and spec.target is not None:
            held = program.state_dict if spec.target in program.state_dict else program.constants
            value = held[spec.target]
            given[nodes[spec.arg.name]] = value.detach() if value.layout == torch.strided else value
    specs = program.graph_signature.output_specs
    returned = [spec.arg for spec in specs if spec.kind == OutputKind.USER_OUTPUT]
    tree = program.call_spec.out_spec
    assert tree is not None
    paths = [
        path for path, _ in pytree.tree_leaves_with_path(pytree.tree_unflatten(returned, tree))
    ]
    outputs = []
    for path, argument in zip(paths, returned, strict=True):
        if isinstance(argument, TensorArgument):
            outputs.append((_name(path), nodes[argument.name]))
        elif not (isinstance(argument, ConstantArgument) and argument.value is None):
            raise UserError(
                f"the model returns {getattr(argument, 'value', argument)!r} beside tensors; "
                "only tensors can be compiled"
            )
    if not outputs:
        raise UserError("the model returns no tensor")
    _check_stateless(program, nodes, [node for _, node in outputs])
    in_collection = tree.type is not None
    return Signature(tuple(inputs), tuple(_numbered(outputs)), in_collection, given)


def _name(path: tuple[Any, ...]) -> str:
    """Return the keys and places that lead to an output, with dots between."""
    words = [
        str(getattr(step, "key", getattr(step, "idx", getattr(step, "name", step))))
        for step in path
    ]
    name = ".".join(words)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the name of an output is no text: {name!a}") from error
    return name


def _numbered(outputs: list[tuple[str, fx.Node]]) -> list[tuple[str, fx.Node]]:
    """Return outputs with names for those that have only a number, or none."""
    return [
        ("output" + name if not name or name.isdigit() else name, node) for name, node in outputs
    ]


def _check_stateless(
    program: torch.export.ExportedProgram, nodes: dict[str, fx.Node], outputs: list[fx.Node]
) -> None:
    """Refuse a network whose result depends on a buffer that it changes."""
    changed = set(program.graph_signature.buffers_to_mutate.values())
    if not changed:
        return
    needed = ancestors(outputs)
    for name, buffer in program.graph_signature.inputs_to_buffers.items():
        if buffer in changed and nodes[name] in needed:
            raise UserError(
                f"the model changes its buffer {buffer!r} and reads it in the next call; a "
                "compiled model keeps no state: make it an input and an output of forward"
            )


def ancestors(nodes: list[fx.Node]) -> set[fx.Node]:
    """Return the nodes, and all that they depend on."""
    found: set[fx.Node] = set()
    left = list(nodes)
    while left:
        node = left.pop()
        if node not in found:
            found.add(node)
            left.extend(node.all_input_nodes)
    return found
