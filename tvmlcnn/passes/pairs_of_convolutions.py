"""Compute a pointwise and a depthwise convolution in one kernel, where it pays, in either order.

A mobile block's map is widest between its first two convolutions: where a core's caches do not
hold it, it would be written to memory and read from there again. A GPU begins a kernel less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn import ops
from tvmlcnn.elementwise import BY_RELAX
from tvmlcnn.graph import operators
from tvmlcnn.graph.constants import is_call_of, value_of
from tvmlcnn.graph.elementwise_operators import attributes_of
from tvmlcnn.graph.kernel_calls import call_of, note_absorbed
from tvmlcnn.graph.layer_of_call import convolution, window_of
from tvmlcnn.graph.variables import bindings, operands
from tvmlcnn.schedules import DepthwisePointwise, Plan, PointwiseDepthwise, planned
from tvmlcnn.schedules.decisions import DEFAULTS, Policy
from tvmlcnn.targets import Device


def pairs_of_convolutions(
    device: Device, policy: Policy = DEFAULTS
) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass that does so in ``main``."""
    return partial(_fused, device=device, policy=policy)


def _fused(mod: tvm.IRModule, device: Device, policy: Policy) -> tvm.IRModule:
    values: dict[relax.Expr, relax.Expr] = {}
    uses: Counter[relax.Expr] = Counter()
    for binding in bindings(mod["main"]):
        values[binding.var] = binding.value
        uses.update(operands(binding.value))
    plans: dict[relax.Expr, tuple[Plan, relax.Expr]] = {}
    absorbed: dict[str, list[str]] = {}
    taken: set[relax.Expr] = set()
    # The wider map is the one before the depthwise convolution.
    for is_first, is_last in ((_is_pointwise, _is_depthwise), (_is_depthwise, _is_pointwise)):
        for var, value in values.items():
            if not _is_plain(value) or not is_last(value):
                continue
            between = _between(value.args[0], values, uses)
            if not between or not _is_plain(first := values[between[0]]) or not is_first(first):
                continue
            if taken & {var, between[0]}:
                continue
            plan = planned(_layer(value, between, values), device, policy)
            if plan.definition is not None:
                plans[value] = plan, first.args[0]
                taken |= {var, between[0]}
                absorbed[str(var.name)] = [str(inner.name) for inner in between]
    fuse = _Fuse(mod, plans)
    fuse.builder_.update_func(mod.get_global_var("main"), fuse.visit_expr(mod["main"]))
    return note_absorbed(relax.transform.DeadCodeElimination()(fuse.builder_.finalize()), absorbed)


@mutator
class _Fuse(PyExprMutator):
    def __init__(self, mod: tvm.IRModule, plans: dict[relax.Expr, tuple[Plan, relax.Expr]]) -> None:
        super().__init__(mod)
        self.plans = plans

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        if call not in self.plans:
            return super().visit_call_(call)
        plan, data = self.plans[call]
        return call_of(self.builder_, plan, [self.visit_expr(data)])


def _is_plain(value: relax.Expr) -> bool:
    """Tell whether it is a convolution of the first channels of an NHWC tensor as it is."""
    if not is_call_of(value, operators.CONV2D):
        return False
    attrs = value.attrs
    return not (len(attrs["reads"]) or len(attrs["prologue"]) or attrs["channels_first"])


def _is_depthwise(call: relax.Call) -> bool:
    *_, inner, outer = (int(n) for n in call.args[1].ty.shape)
    return inner == 1 and outer == int(call.attrs["groups"]) == int(call.args[0].ty.shape[3])


def _is_pointwise(call: relax.Call) -> bool:
    *kernel, inner, _ = (int(n) for n in call.args[1].ty.shape)
    one = kernel == [1, 1] and window_of(call) == ops.Window() and int(call.attrs["groups"]) == 1
    return one and inner <= int(call.args[0].ty.shape[3])


def _between(
    last: relax.Expr, values: dict[relax.Expr, relax.Expr], uses: Counter[relax.Expr]
) -> list[relax.Var]:
    """Return the variables from a convolution to ``last``, in order, that nothing else reads.

    All but the first hold what element-wise operators make of it and of constants by channel;
    none are returned where it is not so.
    """
    found: dict[relax.Expr, None] = {}
    inside: Counter[relax.Expr] = Counter([last])

    def trace(var: relax.Expr) -> bool:
        value = values.get(var)
        if var in found or is_call_of(value, operators.CONV2D):
            found.setdefault(var)
            return True
        if not isinstance(value, relax.Call) or not isinstance(value.op, tvm.ir.Op):
            return False
        reads = operands(value)
        entry = BY_RELAX.get(value.op.name)
        known = entry is not None and entry.te is not None and _by_channel(value)
        if not known or not reads or not all(trace(operand) for operand in reads):
            return False
        inside.update(reads)
        found[var] = None
        return True

    traced = trace(last)
    convolutions = [var for var in found if is_call_of(values[var], operators.CONV2D)]
    alone = all(uses[var] == inside[var] for var in found)
    return list(found) if traced and alone and len(convolutions) == 1 else []


def _by_channel(call: relax.Call) -> bool:
    """Tell whether the constants that an element-wise operator reads are one, or a channel's."""
    arrays = [value for arg in call.args if (value := value_of(arg)) is not None]
    whole = [int(n) for n in call.ty.shape]
    return len(whole) == 4 and all(a.size == 1 or a.size == a.shape[-1] for a in arrays)


def _layer(
    call: relax.Call, between: Sequence[relax.Var], values: dict[relax.Expr, relax.Expr]
) -> PointwiseDepthwise | DepthwisePointwise:
    first = convolution(values[between[0]])
    second = convolution(call)
    formula, parameters = _formula([(var, values[var]) for var in between])
    if second.is_depthwise:
        return PointwiseDepthwise(
            second.element,
            first.data,
            first.weight[0, 0],
            formula,
            parameters,
            second.weight[:, :, 0],
            second.shape,
            second.window,
        )
    inner = second.weight.shape[2]
    return DepthwisePointwise(
        second.element,
        first.data,
        first.weight[:, :, 0, :inner],
        formula,
        [each[:inner] for each in parameters],
        second.weight[0, 0],
        second.shape,
        first.window,
    )


def _formula(
    bindings: Sequence[tuple[relax.Var, relax.Expr]],
) -> tuple[ops.Formula, list[np.ndarray]]:
    """Return what is applied to a value between the convolutions, and its parameters by channel."""
    (first, _), *steps = bindings
    numbers: dict[relax.Expr, ops.Earlier] = {first: ops.Earlier(0)}
    parameters: list[np.ndarray] = []

    def operand(argument: relax.Expr) -> ops.Operand:
        if argument in numbers:
            return numbers[argument]
        array = value_of(argument)
        if array is None:
            return float(argument.value)  # a bound of a clip
        if array.size == 1:
            return float(array.reshape(-1)[0])
        parameters.append(array.reshape(-1))
        return ops.Parameter(len(parameters) - 1)

    taken = []
    for number, (var, call) in enumerate(steps, start=1):
        operands = tuple(map(operand, call.args))
        taken.append(ops.Step(call.op.name, operands, attributes_of(call)))
        numbers[var] = ops.Earlier(number)
    return ops.Formula(tuple(taken)), parameters
