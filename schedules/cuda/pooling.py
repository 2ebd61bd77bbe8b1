"""Pooling on a GPU: windows of a map, or all of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from tvmlcnn.ops import Window
from tvmlcnn.targets import Gpu

from ..decisions import Decisions
from ..epilogue import inline_epilogue
from ..layer import Layer, Pool
from ..levels import levels_before
from ..pool_definition import GLOBAL, WINDOWS, pool_definition
from ..rule import Plan, Rule
from .blocks import finish
from .map_blocks import MapBlock, Tile, bind_map, map_blocks
from .sums import levels_of_parts, parts_of, sum_together, sum_up, sums_side_by_side
from .threads import cycles, lanes_of, load_beside, unroll

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
    block : MapBlock
        Threads, where windows are reduced.
    """

    whole: bool
    channels: int
    block: MapBlock


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take all pooling of channels-last data whose elements the device computes with."""
    if not isinstance(layer, Pool) or not device.computes(layer.element):
        return None
    if layer.kind == "global average":
        pixels = math.prod(layer.data[1:3])
        channels = sums_side_by_side(layer.data[0], layer.data[3], device)
        parts = decisions.choose("parts", parts_of(pixels, channels))
        layout = Layout(True, channels, MapBlock(1, 1, 1))
        levels = levels_of_parts(pixels, parts)
    else:
        channels = decisions.choose("channels", _channels(layer, device))
        window = Window(layer.strides)
        blocks = map_blocks(
            layer.shape, Tile(1, 1, channels), layer.size, window, layer.element, device
        )
        layout, levels = Layout(False, channels, decisions.choose("block", blocks)), None
    return Plan(
        POOLING.name,
        layer.element,
        layer.workload,
        layout,
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
    finish(sch, output, device)
    if layout.whole:
        sum_together(sch, main, output, layout.channels)
    else:
        sch.set_scope(main, 0, "local")
        _reduce_windows(sch, main, output, layout)
    return sch


def _reduce_windows(sch: Schedule, main: SBlockRV, output: SBlockRV, layout: Layout) -> None:
    channels = layout.channels
    store = sch.cache_write(output, 0, "local")
    tile = Tile(1, 1, channels)
    thread, (*pixels, lanes) = bind_map(sch, sch.get_loops(store), tile, layout.block)
    unroll(sch, *pixels)
    sch.compute_at(output, thread, preserve_unit_loops=True)
    unroll(sch, *sch.get_loops(output)[2:])
    sum_up(sch, [*levels_before(sch, main), main], thread, channels, _UNROLLED)
    load_beside(sch, output, thread, channels)
    sch.vectorize(lanes)


POOLING = Rule("pooling", 1, Layout, _plan, _schedule)
