"""Convolutions of few input channels on a GPU: a network's first layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule

from tvmlcnn import ops
from tvmlcnn.targets import FLOAT32, Gpu

from ..decisions import Decisions
from ..epilogue import inline_epilogue, inner_loops
from ..layer import Convolution, Layer
from ..rule import Definition, Plan, Rule
from .blocks import LANES, finish
from .map_blocks import MapBlock, Tile, bind_map, map_blocks
from .threads import cycles, load_beside, move_vectors, unroll, window_in_registers

# With so many a thread finds what it reads as fast in the first cache as in shared memory, where
# others would have to put it, place by place.
_MOST_CHANNELS = 4
# Numbers that a thread may keep: with addresses about 128 registers.
_KEPT = 96
# Instructions of a thread beside loads and multiply-adds, and of a load with its border.
_FIXED, _LOAD = 80, 2
# Multiply-adds of a thread that are worth no loop: some 28 kB of machine code.
_UNROLLED = 1800
# Loops around what a thread does: blocks, and their threads.
_THREADS = 2


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : Tile
    block : MapBlock
    unrolled : bool
        Whether all taps are, not those of a row of one channel alone.
    """

    tile: Tile
    block: MapBlock
    unrolled: bool


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take convolutions of all of few channels, with whole vectors of output."""
    if not isinstance(layer, Convolution) or layer.groups > 1:
        return None
    if layer.element.stored != FLOAT32.name:
        return None
    channels = layer.data[1 if layer.channels_first else 3]
    if len(layer.reads) or layer.prologue or layer.shape[3] % LANES:
        return None
    if channels > _MOST_CHANNELS or channels != layer.weight.shape[2]:
        return None
    taps = layer.weight.shape[:2]
    tile = decisions.choose("tile", _tiles(layer, device))
    blocks = map_blocks(layer.shape, tile, taps, layer.window, layer.element, device)
    # All channels of a pixel in one block: what it reads serves them all.
    most = max(block.channels for block in blocks)
    block = decisions.choose("block", [each for each in blocks if each.channels == most])

    def definition() -> Definition:
        define = partial(
            ops.direct,
            shape=layer.shape,
            window=layer.window,
            columns=tile.columns,
            channels_first=layer.channels_first,
        )
        return Definition(define, [layer.weight])

    unrolled = math.prod(layer.weight.shape[:3]) * tile.columns * tile.lanes <= _UNROLLED
    layout = Layout(tile, block, unrolled)
    return Plan(FEW_CHANNELS.name, layer.element, layer.workload, layout, definition=definition)


def _tiles(layer: Convolution, device: Gpu) -> list[Tile]:
    """Return tiles of one row, those of the fewest cycles first."""
    rows, taps, inner, outer = layer.weight.shape
    lines = rows * inner

    def reads(tile: Tile) -> int:
        window = layer.window
        return (tile.columns - 1) * window.strides[1] + (taps - 1) * window.dilation[1] + 1

    def cost(tile: Tile) -> float:
        loads = lines * (reads(tile) + taps * tile.lanes // LANES)
        products = lines * taps * tile.columns * tile.lanes
        threads = layer.shape[0] * math.prod(tile.counts(layer.shape))
        return cycles(
            products + _LOAD * loads + tile.columns * tile.lanes + _FIXED, threads, device
        )

    options = [
        Tile(1, columns, lanes)
        for lanes in (LANES, 2 * LANES, 4 * LANES)
        for columns in (1, 2, 4, 7, 8)
        if outer % lanes == 0 and columns <= layer.shape[2]
    ]
    kept = [t for t in options if (t.columns + 1) * t.lanes + reads(t) <= _KEPT]
    return sorted(kept or options[:1], key=cost)


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Have each thread multiply a row's window of a tile of pixels, some channels of output.

    A value serves all these channels, and all taps that it lies under. As an implicit GEMM each
    would have to be placed in shared memory for each tap, of few products.
    """
    layout, tile = plan.layout, plan.layout.tile
    main = sch.get_sblock("direct")
    output = inline_epilogue(sch, main, "local")
    finish(sch, output, device)
    sch.set_scope(main, 0, "local")
    store = sch.cache_write(output, 0, "local")
    thread, (*pixels, lanes) = bind_map(sch, sch.get_loops(store), tile, layout.block)
    sch.compute_at(output, thread, preserve_unit_loops=True)
    unroll(sch, *sch.get_loops(output)[_THREADS:])
    sch.compute_at(main, thread, preserve_unit_loops=True)
    spatial, (row, channel, column) = inner_loops(sch, main)
    sch.reorder(row, channel, column, *spatial)
    window = window_in_registers(sch, main)
    weight = sch.cache_read(main, 1, "local")
    for loads, at, around in ((window, channel, 2), (weight, column, 3)):
        sch.compute_at(loads, at, preserve_unit_loops=True)
        move_vectors(sch, loads, LANES if loads is weight else 1, _THREADS + around)
    unroll(sch, column, *spatial)
    if layout.unrolled:
        unroll(sch, row, channel)
    load_beside(sch, output, thread, LANES)
    vectors, vector = sch.split(lanes, [None, LANES])
    sch.vectorize(vector)
    unroll(sch, *pixels, vectors)
    begun = sch.decompose_reduction(main, row)
    move_vectors(sch, begun, LANES, _THREADS)
    return sch


FEW_CHANNELS = Rule("few_channels", 1, Layout, _plan, _schedule)
