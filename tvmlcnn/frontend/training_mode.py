"""Telling that a program was exported while its module was in training mode."""

from __future__ import annotations

from typing import Any

import torch

_FLAGS = {"batch_norm": "training", "dropout": "train"}
"""What operators whose name has this in it call their flag of training."""


def traces_of_training(program: torch.export.ExportedProgram) -> list[str]:
    """Return the operators of a program that do what they do in training, each once.

    Those are batch norms that take the batch's statistics though they have others, and dropout
    that drops. A batch norm without statistics of its own always takes the batch's.
    """
    found = []
    for node in program.graph.nodes:
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
            continue
        name = node.target._schema.name.partition("::")[2]
        flag = next((flag for kind, flag in _FLAGS.items() if kind in name), None)
        if flag is None or _argument(node, flag) is not True:
            continue
        if flag == "training" and _argument(node, "running_mean") is None:
            continue
        found.append("batch norm" if flag == "training" else "dropout")
    return list(dict.fromkeys(found))


def _argument(node: torch.fx.Node, name: str) -> Any:
    """Return an argument of a call by its name; None where the operator has none of it."""
    for index, argument in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        if argument.name == name:
            given = node.args[index] if index < len(node.args) else node.kwargs.get(name)
            return argument.default_value if given is None else given
    return None
