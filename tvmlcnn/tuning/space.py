"""The decisions of a rule as MetaSchedule samples them: what AutoTVM called a template.

A rule ranks the options of each decision when it makes a kernel. Making it once for a task lists
them; each rule that can make the kernel gives a design space of its own. In a design space each
decision is one `sample_categorical`, noted on
the block of a small function that stands for the kernel. So MetaSchedule samples, mutates and
replays decisions, while the kernel is made by the very code that compiles the network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import tvm
from tvm import te
from tvm.s_tir import Schedule

from tvmlcnn.schedules import Layer
from tvmlcnn.schedules.decisions import DEFAULTS, Decisions, plain
from tvmlcnn.targets import Device, ElementType

from .kernels import RULE, scheduled
from .tasks import Task

T = TypeVar("T")
Options = dict[str, list[Any]]
Values = dict[str, Any]

_BLOCK = "decisions"
_MARK = "tvmlcnn.decision."
_SPACE = "tvmlcnn.space"
# An option of this rank is half as likely as the first one.
_HALF = 3


class _Listing:
    """Notes the options of each decision that a rule asks for."""

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self.options: Options = {}

    def rule(self, layer: Layer) -> str:
        return self._rule

    def of(self, rule: str, workload: str, element: ElementType) -> Decisions:
        return self if rule == self._rule else DEFAULTS

    def choose(self, name: str, ranked: Sequence[T]) -> T:
        self.options[name] = [plain(option) for option in ranked]
        return DEFAULTS.choose(name, ranked)

    def trace(self) -> None:
        return DEFAULTS.trace()

    def reject(self, name: str) -> None:
        DEFAULTS.reject(name)


def spaces(task: Task, device: Device) -> list[Options]:
    """Return the options of each decision, a dict a design space; the defaults come first.

    Where several rules can make the kernel, the rule is one of the decisions.
    """
    found = []
    for rule in sorted(task.rules, key=lambda rule: rule != task.rule):
        listing = _Listing(rule)
        scheduled(task, device, listing)
        found.append(listing.options | ({RULE: [rule]} if len(task.rules) > 1 else {}))
    return found


def stand_in(workload: str) -> tvm.IRModule:
    """Return the module on whose block decisions are noted; another one for each workload."""
    nothing = te.compute(
        (1,),
        lambda i: tvm.tirx.const(0.0, "float32"),
        name=_BLOCK,
        attrs={"tvmlcnn.workload": workload},
    )
    function = te.create_prim_func([nothing]).with_attr("global_symbol", "main")
    return tvm.IRModule({"main": function.with_attr("tirx.noalias", True)})


def design(sch: Schedule, number: int, options: Options, values: Values | None = None) -> Schedule:
    """Sample each decision of a design space, or take the values; they are in the trace."""
    block = sch.get_sblock(_BLOCK)
    sch.annotate(block, _SPACE, number)
    for name, several in options.items():
        index = None if values is None else several.index(values[name])
        sampled = sch.sample_categorical(list(range(len(several))), _odds(len(several)), index)
        sch.annotate(block, _MARK + name, sampled)
    return sch


def _odds(count: int) -> list[float]:
    """Return the probabilities of ranked options: the better ranked, the likelier."""
    odds = [1.0 / (_HALF + rank) for rank in range(count)]
    return [odd / sum(odds) for odd in odds]


def decided(sch: Schedule, found: Sequence[Options]) -> Values:
    """Return the decisions that a schedule of `design` stands for, by their names."""
    notes = sch.get(sch.get_sblock(_BLOCK)).annotations
    options = found[int(notes[_SPACE])]
    return {name: several[int(notes[_MARK + name])] for name, several in options.items()}


def space_of(values: Mapping[str, Any], found: Sequence[Options]) -> int | None:
    """Return the number of the design space that has the values, or None."""
    for number, options in enumerate(found):
        if options.keys() == values.keys() and all(values[n] in options[n] for n in options):
            return number
    return None


def features(values: Values, found: Sequence[Options]) -> np.ndarray:
    """Return decisions as numbers for a cost model: AutoTVM's "knob" features.

    Sizes count by their logarithm. Decisions that another design space has are -1.
    """
    numbers: list[float] = []
    names = dict.fromkeys(name for options in found for name in options)
    for name in names:
        several = [option for options in found for option in options.get(name, [])]
        width = max(len(_numbers(option, several)) for option in several)
        own = _numbers(values[name], several) if name in values else []
        numbers += own + [-1.0] * (width - len(own))
    return np.array([numbers], np.float32)


def _numbers(option: Any, several: Sequence[Any]) -> list[float]:
    if isinstance(option, list):
        return [number for part in option for number in _numbers(part, several)]
    if isinstance(option, bool):
        return [float(option)]
    if isinstance(option, int):
        return [math.copysign(math.log2(1 + abs(option)), option)]
    return [float(several.index(option))]
