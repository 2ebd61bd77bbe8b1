"""Compute a pointwise convolution and the depthwise one after it in one kernel, where it pays.

A mobile block's map is widest between the two: where a core's caches do not hold it, it would be
written to memory and read from there again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import tvm
from tvm import relax, tirx
from tvm.ir import Expr
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn import ops
from tvmlcnn.schedules.cpu.banding import banding
from tvmlcnn.targets import Device

from . import operators
from .constants import constant, is_call_of, value_of
from .kernel_calls import note_absorbed
from .scalars import SCALARS
from .workload import Workload, window_of


def depthwise_after_pointwise(device: Device) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass that does so in ``main``."""
    return partial(_fused, device=device)


def _fused(mod: tvm.IRModule, device: Device) -> tvm.IRModule:
    values: dict[relax.Expr, relax.Expr] = {}
    uses: Counter[relax.Expr] = Counter()
    for block in mod["main"].body.blocks:
        for binding in block.bindings:
            values[binding.var] = binding.value
            uses.update(_operands(binding.value))
    workloads: dict[relax.Expr, Workload] = {}
    absorbed: dict[str, list[str]] = {}
    for var, value in values.items():
        if not _is_plain(value) or not _is_depthwise(value):
            continue
        between = _between(value.args[0], values, uses)
        if not between or not _is_plain(first := values[between[0]]) or not _is_pointwise(first):
            continue
        workload = _workload(value, between, values, device)
        if workload is not None:
            workloads[value] = workload
            absorbed[str(var.name)] = [str(inner.name) for inner in between]
    fuse = _Fuse(mod, workloads)
    fuse.builder_.update_func(mod.get_global_var("main"), fuse.visit_expr(mod["main"]))
    return note_absorbed(relax.transform.DeadCodeElimination()(fuse.builder_.finalize()), absorbed)


@mutator
class _Fuse(PyExprMutator):
    def __init__(self, mod: tvm.IRModule, workloads: dict[relax.Expr, Workload]) -> None:
        super().__init__(mod)
        self.workloads = workloads

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        workload = self.workloads.get(call)
        if workload is None:
            return super().visit_call_(call)
        arguments = [self.visit_expr(argument) for argument in workload.arguments]
        return replace(workload, arguments=arguments).call(self.builder_)


def _operands(value: relax.Expr) -> list[relax.Var]:
    """Return the variables that an expression reads, each as often as it does."""
    if isinstance(value, relax.Var):
        return [value]
    inner = value.args if isinstance(value, relax.Call) else getattr(value, "fields", [])
    if isinstance(value, relax.TupleGetItem):
        inner = [value.tuple_value]
    return [var for expr in inner for var in _operands(expr)]


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
        operands = _operands(value)
        known = value.op.name in SCALARS and bool(operands) and _by_channel(value)
        if not known or not all(trace(operand) for operand in operands):
            return False
        inside.update(operands)
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


def _workload(
    call: relax.Call,
    between: Sequence[relax.Var],
    values: dict[relax.Expr, relax.Expr],
    device: Device,
) -> Workload | None:
    pointwise = values[between[0]]
    data, shape = pointwise.args[0], [int(n) for n in call.attrs["shape"]]
    weight, kernel = value_of(pointwise.args[1]), value_of(call.args[1])
    assert weight is not None, "only convolutions with constant weights become this operator"
    assert kernel is not None
    *pixels, _ = (int(n) for n in data.ty.shape)
    pieces = banding([*pixels, weight.shape[2]], shape, kernel.shape[:2], window_of(call), device)
    if pieces is None:
        return None
    packed = ops.pack(weight[0, 0], pieces.pointwise)
    epilogue = _Epilogue([(var, values[var]) for var in between])
    parameters = [
        constant(np.pad(array, (0, packed.shape[0] * packed.shape[2] - len(array))))
        for array in epilogue.parameters
    ]
    define = partial(
        ops.pointwise_depthwise,
        shape=shape,
        window=window_of(call),
        banding=pieces,
        epilogue=epilogue,
    )
    return Workload(define, [data, constant(packed), constant(kernel[:, :, 0]), *parameters])


class _Epilogue:
    """What is applied to a value between the convolutions.

    Attributes
    ----------
    parameters : list of numpy.ndarray
        By channel; a call takes an element of each after the value.
    """

    def __init__(self, bindings: Sequence[tuple[relax.Var, relax.Expr]]) -> None:
        (self.first, _), *self.steps = bindings
        self.parameters: list[np.ndarray] = []
        self._numbers: dict[relax.Expr, int] = {}
        for _, call in self.steps:
            for argument in call.args:
                array = value_of(argument)
                if array is not None and array.size > 1:
                    self._numbers[argument] = len(self.parameters)
                    self.parameters.append(array.reshape(-1))

    def __call__(self, value: Expr, *parameters: Expr) -> Expr:
        values: dict[relax.Expr, Expr] = {self.first: value}

        def element(argument: relax.Expr) -> Expr | None:
            array = value_of(argument)
            if array is None:
                return values.get(argument)
            if array.size == 1:
                return tirx.const(float(array.reshape(-1)[0]), "float32")
            return parameters[self._numbers[argument]]

        for var, call in self.steps:
            operands = [e for arg in call.args if (e := element(arg)) is not None]
            value = values[var] = SCALARS[call.op.name](call, *operands)
        return value
