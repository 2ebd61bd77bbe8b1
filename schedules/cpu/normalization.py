"""Layer, group, instance and batch norm, in two passes over the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn import ops
from tvmlcnn.ops.normalization import blocks_of
from tvmlcnn.targets import Core, Cpu

from ..decisions import Decisions
from ..layer import Layer, Normalization
from ..rule import Definition, Plan, Rule
from .accumulate import unroll
from .blocks import inner_loops
from .padding import without_borders
from .tiles import largest_divisor, power_of_two_divisor


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
    blocks : int
        Of the sums of a row.
    """

    lead: int
    groups: int
    channels_last: bool
    whole: bool
    blocks: int


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take all normalization by the data's own statistics."""
    if not isinstance(layer, Normalization):
        return None
    options = {"lead": layer.lead, "groups": layer.groups, "epsilon": layer.epsilon}
    core, whole, blocks = device.core(layer.element), False, 1
    if layer.channels_last:
        define = partial(ops.normalize_channels, **options)
    else:
        count = math.prod(layer.data[layer.lead :]) // max(1, layer.groups)
        wide = _wide(count, core)
        blocks, _ = blocks_of(count // wide)
        rows = math.prod(layer.data[: layer.lead]) * max(1, layer.groups)
        shared = rows % core.count == 0 or rows >= 2 * core.count
        whole = blocks == 1 or shared
        define = partial(ops.normalize_rows, **options, wide=wide)
    return Plan(
        NORMALIZATION.name,
        layer.element,
        layer.workload,
        Layout(layer.lead, layer.groups, layer.channels_last, whole, blocks),
        definition=lambda: Definition(define, name="normalization"),
    )


def _wide(count: int, core: Core) -> int:
    """Return how many sums of a row go on side by side; those left over are one chain."""
    chains = core.costs.chains
    options = [1 << n for n in range((core.lanes * chains // 2).bit_length()) if 1 << n <= count]

    def cost(wide: int) -> float:
        vectors = -(-wide // core.lanes)
        # A chain of additions waits for itself; sums are added one by one in the end.
        return count // wide * max(vectors, chains / 2) + count % wide * chains / 2 + wide

    return min(options, key=cost)


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
    for name in ("center_lanes", "variance_lanes"):
        if name in stages and layout.blocks == 1:
            sch.compute_inline(stages.pop(name))
    loops = sch.get_loops(output)
    if layout.channels_last:
        _vector(sch, loops[-1], core)
        if len(loops) > 1:
            sch.parallel(sch.fuse(*loops[: max(1, len(loops) - 2)]))
        for name, stage in stages.items():
            if name.endswith("_blocks"):
                _sums_of_channels(sch, stage, layout.lead, core)
            else:
                _small(sch, stage, core)
        return sch
    if layout.groups:
        group, member = sch.split(loops[layout.lead], [layout.groups, None])
        loops = [*loops[: layout.lead], group, member, *loops[layout.lead + 1 :]]
    lead = layout.lead + (layout.groups > 0)
    # Parameters are by channel, or as many as the elements.
    first = lead + 1 if layout.groups else lead
    inner = sch.fuse(*loops[first:]) if len(loops) > first else loops[-1]
    _vector(sch, inner, core)
    if layout.whole:
        for stage in reversed(stages.values()):
            sch.compute_at(stage, loops[lead - 1], preserve_unit_loops=True)
    sch.parallel(sch.fuse(*loops[:lead]))
    for name, stage in stages.items():
        if name.endswith("_blocks"):
            _sums_of_row(sch, stage, None if layout.whole else lead + 1, core)
        elif name.endswith("_lanes"):
            _small(sch, stage, core)
        elif name.endswith("_rest"):
            sch.decompose_reduction(stage, inner_loops(sch, stage)[1][0])
    return sch


def _sums_of_row(sch: Schedule, stage: SBlockRV, outer: int | None, core: Core) -> None:
    spatial, (step,) = inner_loops(sch, stage)
    sch.reorder(step, spatial[-1])
    sch.vectorize(spatial[-1])
    if outer:
        sch.parallel(sch.fuse(*spatial[:outer]))
    sch.decompose_reduction(stage, step)


def _sums_of_channels(sch: Schedule, stage: SBlockRV, lead: int, core: Core) -> None:
    spatial, (step,) = inner_loops(sch, stage)
    channel = spatial[-1]
    count = int(sch.get(channel).extent)
    lanes = power_of_two_divisor(count, core.lanes)
    if lanes in core.vectors():
        several = largest_divisor(count // lanes, core.costs.chains)
        block, vectors, lane = sch.split(channel, [None, several, lanes])
        sch.reorder(block, step, vectors, lane)
        unroll(sch, vectors)
        sch.vectorize(lane)
    else:
        sch.reorder(step, channel)
    sch.parallel(sch.fuse(*spatial[: lead + 1]))
    sch.decompose_reduction(stage, step)


def _small(sch: Schedule, stage: SBlockRV, core: Core) -> None:
    """Run a stage over sums that are there already."""
    spatial, reduced = inner_loops(sch, stage)
    if reduced and not str(sch.get(stage).name_hint).endswith("_groups"):
        sch.reorder(*reduced, spatial[-1])
        _vector(sch, spatial[-1], core)
    if reduced:
        sch.decompose_reduction(stage, reduced[0])


def _vector(sch: Schedule, last: LoopRV, core: Core) -> None:
    """Vectorize a loop of whole vectors; what has none is left to LLVM."""
    lanes = power_of_two_divisor(int(sch.get(last).extent), 2 * core.lanes)
    if lanes in (2 * core.lanes, *core.vectors()):
        _, vector = sch.split(last, [None, lanes])
        sch.vectorize(vector)
    else:
        without_borders(sch, last)


NORMALIZATION = Rule("normalization", 1, Layout, _plan, _schedule)
