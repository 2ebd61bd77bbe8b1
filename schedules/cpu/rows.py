"""Sorting, scans and their like, whose kernels come with their loops."""

from __future__ import annotations

from tvm.s_tir import Schedule

from tvmlcnn.targets import Cpu

from ..decisions import Decisions
from ..definitions import definition_of
from ..layer import Layer, Rows
from ..rule import Plan, Rule


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take all that goes through rows step by step."""
    if not isinstance(layer, Rows):
        return None
    return Plan(
        ROWS.name,
        layer.element,
        layer.workload,
        None,
        definition=lambda: definition_of(layer, device),  # type: ignore[arg-type, return-value]
    )


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Leave the loops as they were written: a row is the work of one core."""
    return sch


ROWS = Rule("rows", 1, type(None), _plan, _schedule)
