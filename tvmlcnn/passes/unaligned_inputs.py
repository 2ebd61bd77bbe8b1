"""Inputs of the network at any address."""

from __future__ import annotations

import json

import numpy as np
import tvm
from tvm import relax
from tvm.tirx import PrimFunc

from tvmlcnn.graph.constants import is_call_of
from tvmlcnn.graph.kernel_calls import is_kernel_call
from tvmlcnn.graph.variables import bindings

_VIEWS = ("relax.reshape", "relax.memory.view")


def unaligned_inputs(mod: tvm.IRModule) -> tvm.IRModule:
    """Let kernels that read the network's inputs take them at any address.

    Kernels assume that tensors begin at a multiple of 64 bytes. Those that the program makes do;
    an application's arrays mostly do not, and would have to be copied.
    """
    main = mod["main"]
    inputs = {param for param in main.params if isinstance(param.ty, relax.TensorType)}
    reading: dict[tvm.ir.GlobalVar, set[int]] = {}
    for binding in bindings(main):
        value = binding.value
        if is_kernel_call(value):
            given = value.args[1]
            given = given.fields if isinstance(given, relax.Tuple) else [given]
            places = {place for place, argument in enumerate(given) if argument in inputs}
            reading.setdefault(value.args[0], set()).update(places)
        elif _seen(value) in inputs:
            inputs.add(binding.var)
    functions = dict(mod.functions)
    for variable, places in reading.items():
        functions[variable] = _unaligned(functions[variable], places)
    return tvm.IRModule(functions, attrs=mod.attrs)


def _seen(value: relax.Expr) -> relax.Expr:
    """Return what an expression is a view of, or the expression."""
    return value.args[0] if any(is_call_of(value, name) for name in _VIEWS) else value


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
