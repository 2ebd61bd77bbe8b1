"""Resizing on a GPU, by tables of what each output reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvm.s_tir import Schedule

from tvmlcnn.targets import Gpu

from ..decisions import Decisions
from ..definitions import definition_of
from ..epilogue import inline_epilogue, inner_loops
from ..layer import Layer, Resample
from ..rule import Plan, Rule
from .blocks import finish
from .threads import bind, block_sizes, lanes_of, load_beside, total, unroll

# Elements that an output is made of, of all axes at once: sixteen are those of a cubic map.
_MOST_TAPS = 16


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    axes : int
        That are resampled.
    lanes : int
        Neighbouring elements that read neighbours too.
    """

    axes: int
    lanes: int


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take what makes each output of few elements."""
    if not isinstance(layer, Resample):
        return None
    if math.prod(int(sources.shape[1]) for sources, _ in layer.tables) > _MOST_TAPS:
        return None
    last = len(layer.data) - 1
    lanes = 1 if last in layer.axes else lanes_of(layer.data[last])[0]
    return Plan(
        RESAMPLE.name,
        layer.element,
        layer.workload,
        Layout(len(layer.axes), lanes),
        definition=lambda: definition_of(layer, device),  # type: ignore[arg-type, return-value]
    )


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Compute a vector of channels in each thread, of all axes at once.

    What one axis makes for the next would be stored; what neighbours read is in the first cache.
    """
    layout = plan.layout
    stages = [sch.get_sblock(f"resample_{number}") for number in range(layout.axes)]
    for stage in stages[:-1]:
        sch.compute_inline(stage)
    main = stages[-1]
    output = inline_epilogue(sch, main, "local")
    finish(sch, output, device)
    sch.set_scope(main, 0, "local")
    store = sch.cache_write(output, 0, "local")
    *outer, last = sch.get_loops(store)
    rest, lanes = sch.split(last, [None, layout.lanes])
    outer.append(rest)
    threads = decisions.choose("threads", block_sizes(total(sch, outer)))
    thread = bind(sch, outer, threads)
    sch.compute_at(output, thread, preserve_unit_loops=True)
    unroll(sch, *inner_loops(sch, output)[0])
    sch.compute_at(main, thread, preserve_unit_loops=True)
    *_, vector = inner_loops(sch, main)[0]
    load_beside(sch, output, thread, layout.lanes)
    if layout.lanes > 1:
        sch.vectorize(vector)
        sch.vectorize(lanes)
    return sch


RESAMPLE = Rule("resample", 1, Layout, _plan, _schedule)
