"""Fuse grouped operators into one TensorIR function each, which keeps its plan."""

from __future__ import annotations

import tvm
from tvm import relax
from tvm.tirx import PrimFunc

from tvmlcnn.graph.kernel_calls import is_kernel_call
from tvmlcnn.graph.variables import bindings
from tvmlcnn.schedules import ATTRIBUTE


def fuse(mod: tvm.IRModule) -> tvm.IRModule:
    """Fuse each group.

    TVM's fusion makes a new function of those of a group, and leaves their attributes behind: the
    plan, which at most one of them has, is put back.
    """
    plans: dict[str, str] = {}
    for variable, function in mod.functions.items():
        if isinstance(function, relax.Function) and function.attrs.get("Primitive"):
            for binding in bindings(function):
                if is_kernel_call(binding.value):
                    attrs = mod[binding.value.args[0]].attrs
                    if ATTRIBUTE in attrs:
                        plans[variable.name_hint] = str(attrs[ATTRIBUTE])
    fused = relax.transform.FuseTIR()(mod)
    functions = {
        variable: function.with_attr(ATTRIBUTE, plans[variable.name_hint])
        if isinstance(function, PrimFunc) and variable.name_hint in plans
        else function
        for variable, function in fused.functions.items()
    }
    return tvm.IRModule(functions, attrs=fused.attrs)
