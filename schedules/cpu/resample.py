"""Resizing: linear maps along axes by constant tables."""

from __future__ import annotations

from dataclasses import dataclass

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from tvmlcnn.ops.resample import WRITTEN_OUT
from tvmlcnn.targets import Core, Cpu

from ..decisions import Decisions
from ..definitions import definition_of
from ..epilogue import inner_loops
from ..layer import Layer, Resample
from ..levels import is_level
from ..rule import Plan, Rule
from .blocks import spread
from .sums import vector


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    axes : tuple of int
        That are mapped, one stage each.
    loops : tuple of bool
        Of each stage, whether its taps are a loop.
    kept : tuple of bool
        Of each stage but the last one, whether it is computed before the next one reads it; else
        it is computed whenever it is read. Where taps are a loop, all are.
    """

    axes: tuple[int, ...]
    loops: tuple[bool, ...]
    kept: tuple[bool, ...]


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take all resampling."""
    if not isinstance(layer, Resample):
        return None
    taps = [int(sources.shape[1]) for sources, _ in layer.tables]
    loops = tuple(count > WRITTEN_OUT for count in taps)
    kept = []
    for number, axis in enumerate(layer.axes[:-1]):
        following = layer.axes[number + 1]
        outputs = layer.tables[number + 1][0].shape[0]
        # Each stage loads its taps, and stores what is kept.
        apart = layer.data[following] / outputs * (taps[number] + 1) + taps[number + 1]
        kept.append(apart < taps[number] * taps[number + 1])
        assert axis < following
    return Plan(
        RESAMPLE.name,
        layer.element,
        layer.workload,
        Layout(layer.axes, loops, tuple(kept)),
        definition=lambda: definition_of(layer, device),  # type: ignore[arg-type, return-value]
    )


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Map one axis after the other, from the outside in, a slice at a time.

    For each output of an axis what the next axis reads is computed just before it is read: a row
    of the map, a plane of a volume. It stays in the cache, and each of the elements is computed
    once. The innermost axis is a vector, of channels where these come last.
    """
    layout, core = plan.layout, device.core(plan.element)
    count = len(layout.axes)
    stages = [sch.get_sblock(f"resample_{number}") for number in range(count)]
    if any(layout.loops):
        for stage in stages:
            levels = [stage]
            while parts := [part for part in sch.get_producers(levels[0]) if is_level(sch, part)]:
                levels.insert(0, parts[0])
            for level in levels:
                _alone(sch, level, core)
        spread(sch, stages[-1], core)
        return sch
    output = stages[-1]
    while consumers := sch.get_consumers(output):
        sch.compute_inline(output)
        output = consumers[0]
    loops = sch.get_loops(output)
    kept = [number for number in range(count - 1) if layout.kept[number]]
    for number in range(count - 1):
        if number not in kept:
            sch.compute_inline(stages[number])
    for number in reversed(kept):
        sch.compute_at(stages[number], loops[layout.axes[number]], preserve_unit_loops=True)
    for number in kept:
        vector(sch, inner_loops(sch, stages[number])[0][-1], core)
    vector(sch, loops[-1], core)
    outer = layout.axes[kept[0]] + 1 if kept else len(loops) - 2
    if outer > 0:
        sch.parallel(sch.fuse(*loops[:outer]))
    return sch


def _alone(sch: Schedule, stage: SBlockRV, core: Core) -> None:
    """Compute all of a stage, many elements of each output, before the next one."""
    spatial, taps = inner_loops(sch, stage)
    *outer, last = spatial
    sch.reorder(*outer, *taps, last)
    vector(sch, last, core)
    if outer:
        sch.parallel(sch.fuse(*outer))
    if taps:
        sch.decompose_reduction(stage, taps[0])


RESAMPLE = Rule("resample", 1, Layout, _plan, _schedule)
