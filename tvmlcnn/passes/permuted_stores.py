"""Have kernels store channels in the order that their readers want, where they can.

A grouped convolution reads the channels of a group from a place of its own: what a channel shuffle
permutes, as in ShuffleNet V1, is copied before it. A kernel that stores each of its channels where
it belongs saves the copy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import tvm
import tvm_ffi
from tvm import relax
from tvm.ir import TensorLoad
from tvm.tirx import BufferStore, IndexMap, PrimFunc, Var

from tvmlcnn.graph.constants import is_call_of
from tvmlcnn.graph.patterns import with_pattern
from tvmlcnn.graph.variables import bindings, operands
from tvmlcnn.schedules import Rule, rules_for
from tvmlcnn.schedules.plan_text import ATTRIBUTE, from_text
from tvmlcnn.targets import Device

# TVM's OpPatternKind: what is fused with sums is element-wise.
_ELEMENTWISE, _BROADCAST = 0, 1


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
    main = mod["main"]
    values = {binding.var: binding.value for binding in bindings(main)}
    uses = Counter(read for value in (*values.values(), main.body.body) for read in operands(value))

    def is_of_kernel(var: relax.Var) -> bool:
        """Tell whether a kernel that can store it in any order computes it for one reader."""
        call = values.get(var)
        if call is None or uses[var] > 1 or not is_call_of(call, "relax.call_tir"):
            return False
        if call.args[0] in able:
            return True
        pattern = int(functions[call.args[0]].attrs["op_pattern"])
        reads = operands(call)
        return pattern <= _BROADCAST and len(reads) == 1 and is_of_kernel(reads[0])

    found = {
        var: call
        for var, call in values.items()
        if is_call_of(call, "relax.call_tir")
        and call.args[0] in copies
        and is_of_kernel(operands(call)[0])
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
