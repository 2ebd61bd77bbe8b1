"""Have what one convolution adds to another's result be stored as its codes.

The numbers of codes take four times as many bytes. TVM fuses what reads codes to what made them, as
it does all that is element-wise, up to where another convolution's result joins; this one would
then read numbers.
"""

from __future__ import annotations

import tvm
from tvm import relax
from tvm.tirx import PrimFunc

from tvmlcnn.graph.constants import is_call_of
from tvmlcnn.graph.patterns import with_pattern
from tvmlcnn.graph.variables import bindings
from tvmlcnn.targets import CODES

# TVM's OpPatternKind: the sums of a kernel with a plan are fused along edges that are element-wise.
_BROADCAST, _SUMS = 1, 4


def codes_of_joins(mod: tvm.IRModule) -> tvm.IRModule:
    """Keep numbers of codes that join another kernel's sums from what computes the codes.

    Runs where operators are TensorIR functions whose patterns are annotated. Such calls are of
    copies of their functions that are fused with their readers alone.
    """
    return with_pattern(mod, _joined(mod), _BROADCAST, "_joining")


def _joined(mod: tvm.IRModule) -> dict[relax.Var, relax.Call]:
    """Return the calls, by their results, that make numbers of codes for other kernels' sums."""
    calls = {
        binding.var: binding.value
        for binding in bindings(mod["main"])
        if is_call_of(binding.value, "relax.call_tir")
    }
    readers: dict[relax.Var, list[relax.Var]] = {}
    for var, call in calls.items():
        for read in _read(call):
            readers.setdefault(read, []).append(var)
    found: dict[relax.Var, relax.Call] = {}

    def pattern(var: relax.Var) -> int:
        return int(mod[calls[var].args[0]].attrs["op_pattern"])

    def sums(var: relax.Var) -> bool:
        """Tell whether a value is element-wise of a kernel's sums, and can be a part of it."""
        while var in calls and var not in found and len(readers[var]) == 1:
            if pattern(var) == _SUMS:
                return True
            before = _read(calls[var])
            if pattern(var) > _BROADCAST or len(before) != 1:
                return False
            (var,) = before
        return False

    for var, call in calls.items():
        if pattern(var) > _BROADCAST or not _makes_numbers(mod[call.args[0]]):
            continue
        following = var
        while len(after := readers.get(following, [])) == 1 and pattern(after[0]) <= _BROADCAST:
            others = [read for read in _read(calls[after[0]]) if not read.same_as(following)]
            if any(sums(other) for other in others):
                found[var] = call
            if others:
                break
            (following,) = after
    return found


def _makes_numbers(function: PrimFunc) -> bool:
    """Tell whether a function's one input is codes, and its output none."""
    *inputs, output = (str(param.ty.dtype) for param in function.params)
    return len(inputs) == 1 and inputs[0] in CODES and output not in CODES


def _read(call: relax.Call) -> list[relax.Var]:
    arguments = call.args[1]
    fields = arguments.fields if isinstance(arguments, relax.Tuple) else [arguments]
    return [field for field in fields if isinstance(field, relax.Var)]
