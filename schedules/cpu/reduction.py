"""Sums and extrema of the innermost axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule

from tvmlcnn import ops
from tvmlcnn.ops.levels import levels_of
from tvmlcnn.targets import Cpu

from ..decisions import Decisions
from ..epilogue import inline_epilogue, inner_loops
from ..layer import Layer, Reduction
from ..levels import is_level
from ..rule import Definition, Plan, Rule
from .blocks import spread
from .sums import small, sums_of_row, sums_side_by_side


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    lead : int
        Axes that stay.
    whole : bool
        Whether each core has rows of its own.
    """

    lead: int
    whole: bool


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take reductions of what lies together in memory."""
    if not isinstance(layer, Reduction) or layer.inner:
        return None
    core, count = device.core(layer.element), math.prod(layer.data[layer.lead :])
    wide = sums_side_by_side(count, core)
    one_level = len(levels_of(count // wide)) == 1
    rows = math.prod(layer.data[: layer.lead])
    define = partial(ops.reduce_rows, lead=layer.lead, kind=layer.kind, keep=layer.keep, wide=wide)
    return Plan(
        REDUCTION.name,
        layer.element,
        layer.workload,
        Layout(layer.lead, one_level or rows >= 2 * core.count),
        definition=lambda: Definition(define, name="reduction"),
    )


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Reduce vectors side by side, then what is in them.

    Where rows are few and long, each core has blocks of all of them.
    """
    layout, core = plan.layout, device.core(plan.element)
    main = sch.get_sblock("reduction")
    output = inline_epilogue(sch, main)
    spread(sch, output, core)
    loops = sch.get_loops(output)[: layout.lead]
    levels = [sch.get_sblock("reduction_lanes")]
    while parts := [part for part in sch.get_producers(levels[0]) if is_level(sch, part)]:
        levels.insert(0, parts[0])
    rests = [
        stage
        for stage in sch.get_producers(main)
        if str(sch.get(stage).name_hint) == "reduction_rest"
    ]
    sch.compute_at(main, loops[-1], preserve_unit_loops=True)
    if layout.whole:
        for stage in reversed([*levels, *rests]):
            sch.compute_at(stage, loops[-1], preserve_unit_loops=True)
    sch.parallel(sch.fuse(*loops))
    sums_of_row(sch, levels[0], None if layout.whole else layout.lead + 1)
    for stage in levels[1:]:
        small(sch, stage, core)
    for stage in rests:
        sch.decompose_reduction(stage, inner_loops(sch, stage)[1][0])
    return sch


REDUCTION = Rule("reduction", 1, Layout, _plan, _schedule)
