"""TVM's own rules for GPUs, in the order in which its pipeline tries them."""

from __future__ import annotations

import tvm
from tvm.s_tir import Schedule, dlight
from tvm.tirx import PrimFunc

from tvmlcnn.targets import Device

from ..decisions import Policy
from ..rule import Rule


def _of(name: str, rule: dlight.ScheduleRule) -> Rule:
    def apply(function: PrimFunc, device: Device, policy: Policy) -> Schedule | None:
        schedules = rule.apply(function, tvm.target.Target(device.tvm), False)
        result = schedules[0] if isinstance(schedules, list) else schedules
        return result if result is not None and _lowers(result) else None

    return Rule(name, apply)


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


RULES = (
    _of("matmul", dlight.gpu.Matmul()),
    _of("gemv", dlight.gpu.GEMV()),
    _of("reduction", dlight.gpu.Reduction()),
    _of("general-reduction", dlight.gpu.GeneralReduction()),
    _of("default", dlight.gpu.Fallback()),
)
