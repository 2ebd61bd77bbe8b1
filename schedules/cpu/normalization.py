"""Layer, group, instance and batch norm, in two passes over the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

from tvm.s_tir import Schedule

from tvmlcnn import ops
from tvmlcnn.ops.levels import levels_of
from tvmlcnn.targets import Cpu

from ..decisions import Decisions
from ..epilogue import inner_loops
from ..layer import Layer, Normalization
from ..levels import is_level
from ..rule import Definition, Plan, Rule
from .sums import small, sums_of_channels, sums_of_row, sums_side_by_side, vector


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    lead : int
        Outer axes.
    groups : int
        Of the channels; 0 for none.
    channels_last : bool
    whole : bool
        Whether all of what is normalized together is done with before the next: each core has
        some of its own then.
    """

    lead: int
    groups: int
    channels_last: bool
    whole: bool


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take all normalization by the data's own statistics."""
    if not isinstance(layer, Normalization):
        return None
    options: dict[str, Any] = {"lead": layer.lead, "groups": layer.groups, "epsilon": layer.epsilon}
    core, whole = device.core(layer.element), False
    if layer.channels_last:
        define = partial(ops.normalize_channels, **options)
    else:
        count = math.prod(layer.data[layer.lead :]) // max(1, layer.groups)
        wide = sums_side_by_side(count, core)
        levels = len(levels_of(count // wide))
        rows = math.prod(layer.data[: layer.lead]) * max(1, layer.groups)
        shared = rows % core.count == 0 or rows >= 2 * core.count
        whole = levels == 1 or shared
        define = partial(ops.normalize_rows, **options, wide=wide)
    return Plan(
        NORMALIZATION.name,
        layer.element,
        layer.workload,
        Layout(layer.lead, layer.groups, layer.channels_last, whole),
        definition=lambda: Definition(define, name="normalization"),
    )


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Sum up vectors, blocks of them by each core, then scale.

    What is normalized together is read for the mean, for the variance and for the output. Where
    a cache holds it, it is so before the next, as a token is.
    """
    layout, core = plan.layout, device.core(plan.element)
    output = sch.get_sblock("normalized")
    while consumers := sch.get_consumers(output):
        sch.compute_inline(output)
        output = consumers[0]
    stages = {str(sch.get(b).name_hint): b for b in sch.get_child_blocks(sch.get_sblock("root"))}
    del stages[str(sch.get(output).name_hint)]
    last = "channels" if layout.channels_last else "lanes"
    # Those that read the data, as the first level of a sum does.
    firsts = [
        f"{total}_blocks" if f"{total}_blocks" in stages else f"{total}_{last}"
        for total in ("center", "variance")
    ]
    loops = sch.get_loops(output)
    if layout.channels_last:
        vector(sch, loops[-1], core)
        if len(loops) > 1:
            sch.parallel(sch.fuse(*loops[: max(1, len(loops) - 2)]))
        for name, stage in stages.items():
            if name in firsts:
                sums_of_channels(sch, stage, layout.lead, core)
            else:
                small(sch, stage, core)
        return sch
    if layout.groups:
        group, member = sch.split(loops[layout.lead], [layout.groups, None])
        loops = [*loops[: layout.lead], group, member, *loops[layout.lead + 1 :]]
    lead = layout.lead + (layout.groups > 0)
    # Parameters are by channel, or as many as the elements.
    first = lead + 1 if layout.groups else lead
    inner = sch.fuse(*loops[first:]) if len(loops) > first else loops[-1]
    vector(sch, inner, core)
    if layout.whole:
        for stage in reversed(stages.values()):
            sch.compute_at(stage, loops[lead - 1], preserve_unit_loops=True)
    sch.parallel(sch.fuse(*loops[:lead]))
    for name, stage in stages.items():
        if name in firsts:
            sums_of_row(sch, stage, None if layout.whole else lead + 1)
        elif name.endswith("_lanes") or is_level(sch, stage):
            small(sch, stage, core)
        elif name.endswith("_rest"):
            sch.decompose_reduction(stage, inner_loops(sch, stage)[1][0])
    return sch


NORMALIZATION = Rule("normalization", 1, Layout, _plan, _schedule)
