"""Have kernels store channels in the order that their readers want, where they can.

A grouped convolution reads the channels of a group from a place of its own: what a channel shuffle
permutes, as in ShuffleNet V1, is copied before it. A kernel that stores each of its channels where
it belongs saves the copy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import tvm
import tvm_ffi
from tvm import relax
from tvm.ir import TensorLoad
from tvm.tirx import BufferStore, IndexMap, PrimFunc, Var

from tvmlcnn.graph.patterns import Calls, with_pattern
from tvmlcnn.graph.variables import operands
from tvmlcnn.schedules import Rule, rules_for
from tvmlcnn.schedules.plan_text import ATTRIBUTE, from_text
from tvmlcnn.targets import Device

_ELEMENTWISE = 0  # TVM's OpPatternKind: what is fused with sums


def permuted_stores(device: Device) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass that does so.

    Runs where operators are TensorIR functions whose patterns are annotated. Copies that become
    part of a kernel are calls of copies of their functions that are fused as element-wise ones are.
    """
    return partial(_with_copies_in_kernels, device=device)


def _with_copies_in_kernels(mod: tvm.IRModule, device: Device) -> tvm.IRModule:
    rules = {rule.name: rule for rule in rules_for(device)}
    functions = {v: f for v, f in mod.functions.items() if isinstance(f, PrimFunc)}
    able = {variable for variable, f in functions.items() if _stores_permuted(f, rules)}
    copies = {variable for variable, f in functions.items() if able and _permutes_channels(f)}
    if not copies:
        return mod
    calls = Calls(mod)

    def is_of_kernel(call: relax.Call) -> bool:
        """Tell whether a copy is of what a kernel computes that can store it in any order."""
        sums = calls.sums_of(*operands(call))
        return sums is not None and calls.found[sums].args[0] in able

    found = {
        var: call
        for var, call in calls.found.items()
        if call.args[0] in copies and is_of_kernel(call)
    }
    return with_pattern(mod, found, _ELEMENTWISE, "_stored")


def _stores_permuted(function: PrimFunc, rules: dict[str, Rule]) -> bool:
    plan = (function.attrs or {}).get(ATTRIBUTE)
    return plan is not None and rules[from_text(str(plan), rules).rule].permutes


def _permutes_channels(function: PrimFunc) -> bool:
    """Tell whether a function moves each channel of a map to another place, known by a formula."""
    if len(function.params) != 2:
        return False
    stores: list[BufferStore] = []
    tvm_ffi.structural_walk(function.body, [(BufferStore, stores.append)])
    if len(stores) != 1 or not isinstance(load := stores[0].value, TensorLoad):
        return False
    (*outer, channel), (*read, place) = stores[0].indices, load.indices
    shape = [int(n) for n in stores[0].buffer.shape]
    if shape != [int(n) for n in load.source.ty.shape] or not isinstance(channel, Var):
        return False
    if place.same_as(channel) or not all(a.same_as(b) for a, b in zip(outer, read, strict=True)):
        return False
    try:
        IndexMap([channel], [place], None).inverse([shape[-1]])
    except tvm.error.InternalError:  # no sum of iterators: of runs, or of one place for several
        return False
    return True
