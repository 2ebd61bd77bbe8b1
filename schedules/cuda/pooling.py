"""Pooling on a GPU: windows of a map, or all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from tvmlcnn.targets import Gpu

from ..decisions import Decisions
from ..epilogue import inline_epilogue, inner_loops
from ..layer import Layer, Pool
from ..levels import levels_before
from ..pool_definition import GLOBAL, WINDOWS, pool_definition
from ..rule import Plan, Rule
from .blocks import finish
from .sums import levels_of_parts, parts_of, sum_together, sums_side_by_side
from .threads import bind, block_sizes, cycles, lanes_of, load_beside, move_vectors, total, unroll

# Instructions of a thread beside those for its taps.
_FIXED = 50
# Of a tap: its load and its part of an address.
_LOAD = 3
# Taps that are unrolled.
_UNROLLED = 25


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    whole : bool
        Whether whole maps are summed up, not windows reduced.
    channels : int
        Of a block, where whole maps are; of a thread, where windows are.
    """

    whole: bool
    channels: int


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take all pooling of channels-last data whose elements the device computes with."""
    if not isinstance(layer, Pool) or not device.computes(layer.element):
        return None
    whole, levels = layer.kind == "global average", None
    if whole:
        pixels = math.prod(layer.data[1:3])
        channels = sums_side_by_side(layer.data[0], layer.data[3], device)
        parts = decisions.choose("parts", parts_of(pixels, channels))
        levels = levels_of_parts(pixels, parts)
    else:
        channels = decisions.choose("channels", _channels(layer, device))
    return Plan(
        POOLING.name,
        layer.element,
        layer.workload,
        Layout(whole, channels),
        definition=partial(pool_definition, layer, levels),
    )


def _channels(layer: Pool, device: Gpu) -> list[int]:
    """Return how many channels a thread may reduce a window of, best first."""

    def cost(lanes: int) -> float:
        instructions = math.prod(layer.size) * (_LOAD + lanes) + _FIXED
        return cycles(instructions, math.prod(layer.shape) // lanes, device)

    return sorted(lanes_of(layer.shape[3]), key=cost)


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Reduce a window of a vector of channels in each thread; share whole maps among several.

    Neighbouring threads have neighbouring channels. What two windows read comes from the first
    cache for the second of them.
    """
    layout = plan.layout
    main = sch.get_sblock(GLOBAL if layout.whole else WINDOWS)
    output = inline_epilogue(sch, main, "local")
    finish(sch, output)
    if layout.whole:
        sum_together(sch, main, output, layout.channels)
    else:
        sch.set_scope(main, 0, "local")
        _reduce_windows(sch, main, output, layout.channels)
    return sch


def _reduce_windows(sch: Schedule, main: SBlockRV, output: SBlockRV, channels: int) -> None:
    store = sch.cache_write(output, 0, "local")
    *places, channel = sch.get_loops(store)
    channel, lanes = sch.split(channel, [None, channels])
    places.append(channel)
    around = len(places)
    sch.compute_at(output, channel, preserve_unit_loops=True)
    unroll(sch, *sch.get_loops(output)[around:])
    sch.compute_at(main, channel, preserve_unit_loops=True)
    levels = [*levels_before(sch, main), main]
    at, summed = channel, []
    for level in reversed(levels):
        if level is not main:
            sch.set_scope(level, 0, "local")
            sch.compute_at(level, at, preserve_unit_loops=True)
        spatial, reduced = inner_loops(sch, level)
        sch.reorder(*reduced, *spatial)
        unroll(sch, *spatial)
        if math.prod(int(sch.get(loop).extent) for loop in reduced) <= _UNROLLED:
            unroll(sch, *reduced)
        at = reduced[-1]
        summed.append((level, reduced[0]))
    taps = sch.cache_read(levels[0], 0, "local", consumer_blocks=levels[:1])
    sch.compute_at(taps, at, preserve_unit_loops=True)
    move_vectors(sch, taps, channels, len(sch.get_loops(levels[0])) - len(spatial))
    load_beside(sch, output, channel, channels)
    sch.vectorize(lanes)
    bind(sch, places, block_sizes(total(sch, places))[0])
    for level, loop in summed:
        sch.decompose_reduction(level, loop)


POOLING = Rule("pooling", 1, Layout, _plan, _schedule)
