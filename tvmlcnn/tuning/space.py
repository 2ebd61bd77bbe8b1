"""The decisions of a rule as MetaSchedule samples them: what AutoTVM called a template.

A rule ranks the options of each decision when it is applied. Applying it once to a task lists
them; one decision, ``algorithm``, has decisions of its own under each option, and gives a design
space of its own for each. In a design space each decision is one `sample_categorical`, noted on
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

from tvmlcnn.ops.tile import WORKLOAD
from tvmlcnn.schedules.decisions import DEFAULTS, Chosen, plain
from tvmlcnn.targets import Device

from .kernels import scheduled
from .tasks import Task

T = TypeVar("T")
Options = dict[str, list[Any]]
Values = dict[str, Any]

_FORK = "algorithm"
_BLOCK = "decisions"
_MARK = "tvmlcnn.decision."
_SPACE = "tvmlcnn.space"
# An option of this rank is half as likely as the first one.
_HALF = 3


class _Listing:
    """Notes the options of each decision that a rule asks for."""

    def __init__(self, fixed: Mapping[str, Any]) -> None:
        self._chosen = Chosen(fixed)
        self.options: Options = {}

    def of(self, rule: str, workload: str) -> _Listing:
        return self

    def choose(self, name: str, ranked: Sequence[T]) -> T:
        self.options[name] = [plain(option) for option in ranked]
        return self._chosen.choose(name, ranked)

    def trace(self) -> None:
        return DEFAULTS.trace()


def spaces(task: Task, device: Device) -> list[Options]:
    """Return the options of each decision, a dict a design space; the defaults come first."""
    listing = _Listing({})
    scheduled(task, device, listing)
    forks = listing.options.get(_FORK, [])
    if not forks:
        return [listing.options]
    found = []
    for fork in forks:
        listing = _Listing({_FORK: fork})
        scheduled(task, device, listing)
        found.append({**listing.options, _FORK: [fork]})
    return found


def stand_in(workload: str) -> tvm.IRModule:
    """Return the module on whose block decisions are noted; another one for each workload."""
    nothing = te.compute(
        (1,),
        lambda i: tvm.tirx.const(0.0, "float32"),
        name=_BLOCK,
        attrs={WORKLOAD: workload},
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
