"""Taking composite operators of torch apart, by torch itself, into those that are imported.

torch knows what each of its operators is made of; what has a converter of its own (see `aten`)
stays whole, since a kernel of its own is more accurate or faster than the parts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch._decomp import decomposition_table

from .aten import CONVERTERS
from .compositions import COMPOSITIONS
from .quantized_compositions import QUANTIZED_COMPOSITIONS


@cache
def decompositions() -> dict[torch._ops.OperatorBase, Callable[..., Any]]:
    """Return torch's decompositions of all operators that have no converter."""
    table = torch.export.default_decompositions()
    for operator, parts in decomposition_table.items():
        if isinstance(operator, torch._ops.OpOverload) and torch.Tag.core not in operator.tags:
            table.setdefault(operator, parts)
    table.update(COMPOSITIONS)
    table.update(QUANTIZED_COMPOSITIONS)
    for operator in list(table):
        if name_of(operator) in CONVERTERS:
            del table[operator]
    return dict(table.items())


def name_of(target: Any) -> str:
    """Return what a converter of an operator is called by: ``add.Tensor``; or a function's name."""
    if not isinstance(target, torch._ops.OpOverload):
        return str(getattr(target, "__name__", target))
    return str(target).removeprefix("aten.")
