"""Note what each call of a kernel is for: its layers, operations and bytes."""

from __future__ import annotations

import math

import numpy as np
import tvm
from tvm import relax

from tvmlcnn.graph.kernel_calls import is_kernel_call, note_calls
from tvmlcnn.graph.variables import bindings
from tvmlcnn.schedules import element_of

from .group import members_of


def list_kernel_calls(mod: tvm.IRModule) -> tvm.IRModule:
    """Note the calls of kernels in ``main``, before they lose their types.

    `tvmlcnn.graph.kernel_calls.kernel_calls` returns them.
    """
    members = members_of(mod)
    unknown = {"layers": [], "bindings": [], "flops": 0}
    calls = [
        {
            "function": str(binding.value.args[0].name_hint),
            **members.get(str(binding.var.name), unknown),
            "bytes": _bytes(binding.value),
            "element": element_of(mod[binding.value.args[0]]).name,
        }
        for binding in bindings(mod["main"])
        if is_kernel_call(binding.value)
    ]
    return note_calls(mod, calls)


def _bytes(call: relax.Call) -> int:
    """Return the bytes of the different tensors that a kernel reads, and of those it writes."""
    read = call.args[1].fields if isinstance(call.args[1], relax.Tuple) else [call.args[1]]
    return sum(_size(argument.ty) for argument in dict.fromkeys(read)) + _size(call.ty)


def _size(ty: relax.Type) -> int:
    if isinstance(ty, relax.TupleType):
        return sum(map(_size, ty.fields))
    if not isinstance(ty, relax.TensorType):
        return 0
    return math.prod(int(n) for n in ty.shape) * np.dtype(str(ty.dtype)).itemsize
