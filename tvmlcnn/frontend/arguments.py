"""The arguments of calls: of operators by their names, of modules by place and by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx


def by_schema(node: fx.Node) -> dict[str, Any]:
    """Return an operator's arguments by the names of its schema, with its defaults."""
    assert isinstance(node.target, torch._ops.OpOverload)
    result: dict[str, Any] = {}
    for number, argument in enumerate(node.target._schema.arguments):
        if number < len(node.args) and not argument.kwarg_only:
            result[argument.name] = node.args[number]
        elif argument.name in node.kwargs:
            result[argument.name] = node.kwargs[argument.name]
        else:
            result[argument.name] = argument.default_value
    return result


def placed_and_named(
    tensors: Sequence[torch.Tensor], keywords: Sequence[str]
) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    """Return inputs as a module is called with them: the last ones by the names in ``keywords``."""
    plain = len(tensors) - len(keywords)
    return tuple(tensors[:plain]), dict(zip(keywords, tensors[plain:], strict=True))
