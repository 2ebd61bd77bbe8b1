"""Telling that a program was exported while its module was in training mode."""

from __future__ import annotations

import torch

from .arguments import by_schema

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
        if flag is None:
            continue
        arguments = by_schema(node)
        if arguments.get(flag) is not True:
            continue
        if flag == "training" and arguments.get("running_mean") is None:
            continue
        found.append("batch norm" if flag == "training" else "dropout")
    return list(dict.fromkeys(found))
