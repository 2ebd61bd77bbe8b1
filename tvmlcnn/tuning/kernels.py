"""The kernel of a task, for some decisions, with what it is called with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.tirx import PrimFunc

from tvmlcnn import passes, pipeline
from tvmlcnn.graph.constants import value_of
from tvmlcnn.graph.kernel_calls import is_kernel_call
from tvmlcnn.schedules import Layer
from tvmlcnn.schedules.decisions import DEFAULTS, Chosen, Decisions, Policy
from tvmlcnn.targets import CODES, ELEMENT_TYPES, FLOAT32, Device, ElementType

from .tasks import Task

RULE = "rule"
"""The name, among decisions, of the rule that has them, where several can make a kernel."""


@dataclass(frozen=True)
class Kernel:
    """A TensorIR function and its arguments.

    Attributes
    ----------
    function : PrimFunc
    arguments : list of numpy.ndarray
        Inputs at random, the same ones for every kernel of a task, and weights as it wants them.
    inputs : list of int
        Which arguments are inputs.
    results : list of tuple
        Shape and dtype of each result, which follow the arguments.
    """

    function: PrimFunc
    arguments: list[np.ndarray]
    inputs: list[int]
    results: list[tuple[tuple[int, ...], str]]

    @property
    def element(self) -> ElementType:
        """The type of the first result; what is no number of ours has to be exact all the more."""
        return ELEMENT_TYPES.get(self.results[0][1], FLOAT32)


def scheduled(task: Task, device: Device, policy: Policy = DEFAULTS) -> Kernel:
    """Return the kernel of a task as the policy decides."""
    phases = passes.kernel_phases(device, policy)
    return _kernel(pipeline.apply(phases, task.module, device))


def without_rule(decisions: Mapping[str, Any]) -> dict[str, Any]:
    """Return decisions as their rule has them, and a record."""
    return {name: value for name, value in decisions.items() if name != RULE}


class Fixed:
    """Decides a task as decisions say that are written down."""

    def __init__(self, decisions: Mapping[str, Any]) -> None:
        self._rule = decisions.get(RULE)
        self.chosen = Chosen(without_rule(decisions))

    def rule(self, layer: Layer) -> str | None:
        """Return the rule that is written down, if several can make the kernel."""
        return self._rule

    def of(self, rule: str, workload: str, element: ElementType) -> Decisions:
        """Return what decides."""
        return self.chosen


def fitting(task: Task, device: Device, decisions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the decisions that the kernel has.

    The options of one may depend on another: where a sampled value is none of them the default
    was taken and measured, and a record must not name a value that nobody finds again.
    """
    policy = Fixed(decisions)
    scheduled(task, device, policy)
    return {k: value for k, value in decisions.items() if k not in policy.chosen.misfits}


def unscheduled(task: Task, device: Device) -> PrimFunc:
    """Return the function of a task before it is scheduled."""
    return _kernel(pipeline.apply(passes.fusion_phases(device), task.module, device)).function


def _kernel(mod: tvm.IRModule) -> Kernel:
    calls = [
        binding.value
        for block in mod["main"].body.blocks
        for binding in block.bindings
        if is_kernel_call(binding.value)
    ]
    if len(calls) != 1:
        raise ValueError(f"{len(calls)} kernels where one was expected")
    (call,) = calls
    function, values = call.args[0], call.args[1]
    fields = list(values.fields) if isinstance(values, relax.Tuple) else [values]
    types = list(call.ty.fields) if isinstance(call.ty, relax.TupleType) else [call.ty]
    generator = np.random.default_rng(0)
    random: dict[relax.Var, np.ndarray] = {}
    arguments, inputs = [], []
    for index, value in enumerate(fields):
        array = value_of(value)
        if array is None:
            if value not in random:
                random[value] = _numbers(generator, _shape(value.ty), str(value.ty.dtype))
                inputs.append(index)
            array = random[value]
        arguments.append(array)
    results = [(_shape(ty), str(ty.dtype)) for ty in types]
    return Kernel(mod[function], arguments, inputs, results)


def _numbers(generator: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Return random numbers: normal ones, and codes of eight bits that seldom saturate."""
    normal = generator.standard_normal(shape, np.float32)
    if dtype not in CODES:
        return normal.astype(dtype)
    codes = np.iinfo(dtype)
    middle, spread = (codes.min + codes.max + 1) // 2, (codes.max - codes.min) / 8
    return np.rint(normal * spread + middle).clip(codes.min, codes.max).astype(dtype)


def _shape(ty: relax.TensorType) -> tuple[int, ...]:
    return tuple(int(n) for n in ty.shape)
