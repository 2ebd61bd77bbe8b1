"""Kernels that take some of their tensors at any address."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import tvm
from tvm.tirx import PrimFunc

from .flat_program import Base, Call

_APPLICATIONS = (Base.INPUT, Base.OUTPUT)


def unaligned(kernels: dict[str, PrimFunc], calls: Iterable[Call]) -> dict[str, PrimFunc]:
    """Let kernels read inputs of the network and write its outputs at any address.

    Kernels assume that tensors begin at a multiple of 64 bytes. Those of the workspace do; an
    application's arrays mostly do not, and would have to be copied.
    """
    places: dict[str, set[int]] = {}
    for call in calls:
        found = {n for n, place in enumerate(call.arguments) if place.base in _APPLICATIONS}
        places.setdefault(call.function, set()).update(found)
    return {name: _unaligned(kernel, places.get(name, set())) for name, kernel in kernels.items()}


def _unaligned(function: PrimFunc, places: set[int]) -> PrimFunc:
    """Return a function that assumes nothing of where some of its arguments begin.

    TVM has no function that changes this property of a buffer, which is a part of its type; its
    form as JSON has a number there.
    """
    if not places:
        return function
    graph = json.loads(tvm.ir.save_json(function))
    nodes = graph["nodes"]
    parameters = nodes[nodes[graph["root_index"]]["data"]["params"]]["data"]
    for place in places:
        buffer = nodes[nodes[parameters[place]]["data"]["ty"]]
        assert buffer["type"] == "tirx.BufferType", buffer["type"]
        buffer["data"]["data_alignment"] = np.dtype(str(function.params[place].ty.dtype)).itemsize
    return tvm.ir.load_json(json.dumps(graph))
