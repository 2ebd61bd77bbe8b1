"""Which functions a program may call."""

from __future__ import annotations

import re

import torch

_OPERATOR = re.compile(
    r"torch\.ops\.(?P<namespace>aten|prims|torchvision|quantized_decomposed)\.(?P<name>\w+)\.(?P<of>\w+)"
)
"""An operator of a library that computes; others, as torchvision's ``image``, read files."""
_NOT_COMPUTING = {"from_file"}
"""Operators of these libraries that read or write a file."""

_OF_SIZES = frozenset(
    {
        *(
            f"_operator.{name}"
            for name in ("eq", "ne", "le", "ge", "lt", "gt", "neg", "pos", "abs")
        ),
        *(f"_operator.{name}" for name in ("add", "sub", "mul", "floordiv", "truediv", "mod")),
        *(f"_operator.{name}" for name in ("pow", "and_", "or_", "lshift", "rshift", "getitem")),
        *(f"math.{name}" for name in ("trunc", "ceil", "floor")),
        *(f"torch.sym_{name}" for name in ("not", "int", "float", "ite", "max", "min", "sqrt")),
    }
)
"""Functions of Python and torch that compute sizes."""

_OF_GRAPHS = frozenset(
    f"torch.ops.higher_order.{name}"
    for name in ("wrap_with_set_grad_enabled", "wrap_with_autocast", "cond", "map_impl", "scan")
)
"""Operators that take graphs, which are in the file and checked like the program, and that end."""


def is_of_torch(target: str) -> bool:
    """Tell whether a node calls what computes and does nothing else.

    torch takes any attribute of its package, as ``torch.os.system``, and operators of TorchScript,
    which print and open files, along with those of its dispatcher.
    """
    if target in _OF_SIZES or target in _OF_GRAPHS:
        return True
    match = _OPERATOR.fullmatch(target)
    if match is None or match["name"] in _NOT_COMPUTING:
        return False
    packet = getattr(getattr(torch.ops, match["namespace"]), match["name"], None)
    operator = getattr(packet, match["of"], None)
    return isinstance(operator, torch._ops.OpOverload) and torch._C._dispatch_has_kernel(
        operator.name()
    )
