"""TVM's own rules for GPUs, in the order in which its pipeline tries them."""

from __future__ import annotations

from typing import Any

import tvm
from tvm.s_tir import Schedule, dlight

from tvmlcnn.targets import Gpu

from ..decisions import Decisions
from ..definitions import definition_of
from ..layer import Layer
from ..own_loops import has_own_loops
from ..rule import SPREAD, Plan, Rule
from ..unit_reductions import without_unit_reductions


class _Reduction(dlight.gpu.Reduction):
    """TVM's, but for grouped convolutions.

    It unrolls the channels of a group (its ``c_factor``), and then iterates what is fused behind
    the sum in another order than the sum: threads read registers of other threads.
    """

    def _normalize(self, *arguments: Any) -> tuple[Any, ...]:
        found = super()._normalize(*arguments)
        return (None,) * len(found) if found[1] is not None else found


_RULES: tuple[dlight.ScheduleRule, ...] = (
    dlight.gpu.Matmul(),
    dlight.gpu.GEMV(),
    _Reduction(),
    dlight.gpu.GeneralReduction(),
    dlight.gpu.Fallback(),
)


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan:
    """Take every layer, as TVM defines it, if it does."""
    definition = definition_of(layer, device)
    define = None if definition is None else lambda: definition
    return Plan(DLIGHT.name, layer.element, "", None, definition=define)


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Take the first of TVM's rules that has a schedule which can be lowered."""
    if has_own_loops(sch):
        return sch
    sch = Schedule(without_unit_reductions(sch.mod["main"]))
    target = tvm.target.Target(device.tvm)
    failure: Exception | None = None
    for rule in _RULES:
        try:
            schedules = rule.apply(sch.mod["main"], target, False)
        except Exception as error:  # some find out half way that they do not fit: whatever it is
            failure = error
            continue
        found = schedules[0] if isinstance(schedules, list) else schedules
        if found is not None and _lowers(found):
            found.annotate(found.get_sblock("root"), SPREAD, True)
            return found
    raise RuntimeError("dlight has no schedule that can be lowered") from failure


def _lowers(sch: Schedule) -> bool:
    """Tell whether a schedule can be lowered.

    dlight's Reduction splits the channels of a group so that its cross-thread reduction is not the
    deepest, which TVM finds out only when it generates code.
    """
    try:
        tvm.s_tir.transform.LowerCrossThreadReduction()(sch.mod)
    except ValueError:
        return False
    return True


DLIGHT = Rule("dlight", 1, type(None), _plan, _schedule)
