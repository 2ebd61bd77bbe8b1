"""Have what one convolution adds to another's result be stored as its codes.

The numbers of codes take four times as many bytes. TVM fuses what reads codes to what made them, as
it does all that is element-wise, up to where another convolution's result joins; this one would
then read numbers.
"""

from __future__ import annotations

import tvm
from tvm import relax
from tvm.tirx import PrimFunc

from tvmlcnn.graph.patterns import BROADCAST, Calls, with_pattern
from tvmlcnn.graph.variables import operands
from tvmlcnn.targets import CODES


def codes_of_joins(mod: tvm.IRModule) -> tvm.IRModule:
    """Keep numbers of codes that join another kernel's sums from what computes the codes.

    Runs where operators are TensorIR functions whose patterns are annotated. Such calls are of
    copies of their functions that are fused with their readers alone.
    """
    return with_pattern(mod, _joined(mod), BROADCAST, "_joining")


def _joined(mod: tvm.IRModule) -> dict[relax.Var, relax.Call]:
    """Return the calls, by their results, that make numbers of codes for other kernels' sums."""
    calls = Calls(mod)
    found: dict[relax.Var, relax.Call] = {}
    for var, call in calls.found.items():
        if calls.pattern(var) > BROADCAST or not _makes_numbers(mod[call.args[0]]):
            continue
        following = var
        while (
            len(after := calls.readers.get(following, [])) == 1
            and calls.pattern(after[0]) <= BROADCAST
        ):
            reads = operands(calls.found[after[0]])
            others = [read for read in reads if not read.same_as(following)]
            if any(calls.sums_of(other, apart=found) is not None for other in others):
                found[var] = call
            if others:
                break
            (following,) = after
    return found


def _makes_numbers(function: PrimFunc) -> bool:
    """Tell whether a function's one input is codes, and its output none."""
    *inputs, output = (str(param.ty.dtype) for param in function.params)
    return len(inputs) == 1 and inputs[0] in CODES and output not in CODES
