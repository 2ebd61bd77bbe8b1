"""Pooling: windows of a map, or all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule

from tvmlcnn.targets import Cpu

from ..decisions import Decisions
from ..epilogue import inline_epilogue
from ..layer import Layer, Pool
from ..levels import is_level
from ..pool_definition import GLOBAL, WINDOWS, pool_definition
from ..rule import Plan, Rule
from .accumulate import accumulate, unroll
from .blocks import spread
from .tiles import largest_divisor, power_of_two_divisor


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    whole : bool
        Whether whole maps are reduced, not windows.
    """

    whole: bool


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take all pooling of channels-last data whose elements the device computes with."""
    if not isinstance(layer, Pool) or not device.computes(layer.element):
        return None
    return Plan(
        POOLING.name,
        layer.element,
        layer.workload,
        Layout(layer.kind == "global average"),
        definition=partial(pool_definition, layer),
    )


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Reduce vectors of channels.

    For a window the loop over a pixel's channels is the inner one, around the unrolled taps:
    where each tap reads is the same for all channels. Over a whole map the loop over the pixels
    is, with as many vectors of channels side by side as make the additions overlap.
    """
    whole, core = plan.layout.whole, device.core(plan.element)
    main = sch.get_sblock(GLOBAL if whole else WINDOWS)
    output = inline_epilogue(sch, main)
    spread(sch, output, core)
    *far, channel = sch.get_loops(output)
    count = int(sch.get(channel).extent)
    wide = power_of_two_divisor(count, core.elements)
    # Half as many chains again hide what loads take besides.
    several = largest_divisor(count // wide, core.costs.chains * 3 // 2) if whole else 1
    block, vectors, lanes = sch.split(channel, [None, several, wide])
    _, reduced = accumulate(sch, main, block, wide)
    inner = [(main, reduced)]
    # A step of a level adds what the level before it has summed up.
    while parts := [part for part in sch.get_producers(inner[0][0]) if is_level(sch, part)]:
        inner.insert(0, (parts[0], accumulate(sch, parts[0], inner[0][1][0], wide)[1]))
    if math.prod(int(sch.get(loop).extent) for loop in reduced) <= core.costs.unrolled_taps:
        unroll(sch, *reduced)
    unroll(sch, vectors)
    sch.vectorize(lanes)
    sch.parallel(sch.fuse(*far, block) if whole else sch.fuse(*far[:-1]))
    for part, steps in inner:
        sch.decompose_reduction(part, steps[0])
    return sch


POOLING = Rule("pooling", 1, Layout, _plan, _schedule)
