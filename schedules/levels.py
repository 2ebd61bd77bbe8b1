"""The stages of a sum in levels (`tvmlcnn.ops.levels`)."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV


def is_level(sch: Schedule, stage: SBlockRV) -> bool:
    """Tell whether a stage is one but the last of a sum in levels."""
    return "_blocks" in str(sch.get(stage).name_hint)


def levels_before(sch: Schedule, last: SBlockRV) -> list[SBlockRV]:
    """Return the other stages of a sum in levels, the innermost first."""
    levels: list[SBlockRV] = []
    stage = last
    while parts := [part for part in sch.get_producers(stage) if is_level(sch, part)]:
        (stage,) = parts
        levels.insert(0, stage)
    return levels
