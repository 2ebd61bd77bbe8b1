"""Depthwise convolutions on a GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.targets import CODES, Gpu

from ..decisions import Decisions
from ..depthwise_definition import depthwise_definition
from ..epilogue import inline_epilogue, inner_loops
from ..layer import Convolution, Layer
from ..rule import Plan, Rule
from .blocks import finish
from .map_blocks import MapBlock, Tile, bind_map, map_blocks
from .scattered import store_where_computed
from .tap_products import CHANNELS, multiply_taps, products_of_taps, turned
from .threads import cycles, lanes_of, load_beside, move_vectors, unroll, window_in_registers

# Numbers that a thread may keep: with addresses about 128 registers, of which a multiprocessor has
# enough for 512 threads.
_KEPT = 104
# Instructions of a thread beside loads and multiply-adds: where it is, and its addresses.
_FIXED = 80
# Of a load, with its predicate and the zeros that it leaves where the map ends.
_LOAD = 3
# Taps of a kernel that are unrolled.
_UNROLLED = 25
# Loops around what a thread does: blocks, and their threads.
_THREADS = 2


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : Tile
    block : MapBlock
    whole : bool
        Whether a thread loads the whole window of its tile before it multiplies, not one row of
        the kernel at a time.
    unrolled : bool
        Whether the taps of a row of the kernel are.
    taps, dilation : tuple of int
        Of the kernel, where four of its rows are multiplied at a time; else empty.
    """

    tile: Tile
    block: MapBlock
    whole: bool
    unrolled: bool
    taps: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take all depthwise convolutions of numbers and of codes."""
    if not isinstance(layer, Convolution) or not layer.is_depthwise:
        return None
    if not device.computes(layer.element):
        return None
    tile = decisions.choose("tile", tiles(layer, device))
    taps = layer.weight.shape[:2]
    blocks = map_blocks(layer.shape, tile, taps, layer.window, layer.element, device)
    block = decisions.choose("block", blocks)
    whole = _kept(tile, layer) <= _KEPT
    layout = Layout(tile, block, whole, math.prod(taps) <= 2 * _UNROLLED)
    if whole and _by_rows(tile, layer):
        layout = replace(layout, taps=taps, dilation=layer.window.dilation)
    define = partial(depthwise_definition, layer, (tile.rows, tile.columns), shifted=False)
    return Plan(DEPTHWISE.name, layer.element, layer.workload, layout, definition=define)


def tiles(layer: Convolution, device: Gpu) -> list[Tile]:
    """Return tiles, those of the fewest cycles first."""
    options = (
        Tile(rows, columns, lanes)
        for lanes in lanes_of(layer.shape[3])
        for rows in (1, 2, 3, 4)
        for columns in (1, 2, 3, 4, 7, 8)
    )
    fitting = (tile for tile in options if _fits(tile, layer))
    return sorted(fitting, key=lambda tile: cycles_of(tile, layer, device))


def cycles_of(tile: Tile, layer: Convolution, device: Gpu) -> float:
    """Return the estimated cycles of a depthwise convolution."""
    taps = layer.weight.shape[:2]
    pixels = tile.rows * tile.columns
    rows, columns = _window(tile, layer)
    whole = _kept(tile, layer) <= _KEPT
    loads = (rows if whole else taps[0] * tile.rows) * columns + math.prod(taps)
    products = (math.prod(taps) + 1) * pixels * tile.lanes
    if whole and _by_rows(tile, layer):
        products = products_of_taps(taps, tile.rows, tile.columns, columns)
    instructions = products + loads * _LOAD + pixels + _FIXED
    return cycles(instructions, layer.shape[0] * math.prod(tile.counts(layer.shape)), device)


def _by_rows(tile: Tile, layer: Convolution) -> bool:
    """Tell whether four rows of the kernel are multiplied at a time, of codes that lie together."""
    return (
        layer.element.name in CODES
        and tile.lanes == CHANNELS
        and min(layer.weight.shape[:2]) > 1
        and math.prod(layer.weight.shape[:2]) <= _UNROLLED
    )


def _fits(tile: Tile, layer: Convolution) -> bool:
    """Tell whether a tile is no larger than the map, and a row of its window is in registers."""
    if tile.rows > max(1, layer.shape[1]) or tile.columns > max(1, layer.shape[2]):
        return False
    if tile.rows == tile.columns == 1:
        return True
    if _kept(tile, layer) <= _KEPT:
        return True
    columns = _window(tile, layer)[1] + layer.weight.shape[1]
    one_row = tile.rows == 1 or layer.window.strides[0] == 1
    return one_row and (tile.rows * columns + tile.rows * tile.columns) * tile.lanes <= _KEPT


def _window(tile: Tile, layer: Convolution) -> tuple[int, int]:
    """Return the rows and columns of the map that a tile reads."""
    sides = zip(
        (tile.rows, tile.columns),
        layer.weight.shape[:2],
        layer.window.strides,
        layer.window.dilation,
        strict=True,
    )
    rows, columns = ((n - 1) * step + (taps - 1) * spread + 1 for n, taps, step, spread in sides)
    return rows, columns


def _kept(tile: Tile, layer: Convolution) -> int:
    """Return how many numbers a thread keeps that loads its whole window first.

    The window passes through row by row, whatever the order of the loads: two of them are there.
    """
    rows, columns = _window(tile, layer)
    taps = math.prod(layer.weight.shape[:2])
    if taps > _UNROLLED:
        return _KEPT + 1
    if _by_rows(tile, layer):
        own = tile.rows * tile.columns * CHANNELS
        return rows * columns + own + turned(layer.weight.shape[:2])
    return (min(rows, 2) * columns + taps + tile.rows * tile.columns) * tile.lanes


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Have each thread multiply the window of a tile of pixels, a vector of channels of it.

    Neighbouring threads have neighbouring channels, so that a warp loads whole lines. What a
    thread loaded serves all the taps that it lies under; what two threads load comes from the
    first cache for the second of them. One output a thread would load each input for each tap.
    """
    layout, tile = plan.layout, plan.layout.tile
    main = sch.get_sblock("depthwise")
    output = inline_epilogue(sch, main, "local")
    finish(sch, output, device)
    sch.set_scope(main, 0, "local")
    store = sch.cache_write(output, 0, "local")
    scattered = store_where_computed(sch, output, store, main)
    thread, (*pixels, lanes) = bind_map(sch, sch.get_loops(store), tile, layout.block)
    sch.compute_at(output, thread, preserve_unit_loops=True)
    if plan.element.name in CODES:  # which are made by vectors
        move_vectors(sch, output, tile.lanes, _THREADS)
    else:
        unroll(sch, *sch.get_loops(output)[_THREADS:])
    sch.compute_at(main, thread, preserve_unit_loops=True)
    if layout.taps:
        begun = multiply_taps(sch, main, thread, layout.taps, layout.dilation)
    else:
        sums = multiply(sch, main, thread, tile.lanes, layout.whole, layout.unrolled)
        begun = sch.decompose_reduction(main, sums)
    load_beside(sch, output, thread, tile.lanes)
    (sch.unroll if scattered else sch.vectorize)(lanes)
    unroll(sch, *pixels)
    move_vectors(sch, begun, tile.lanes, _THREADS)
    return sch


def multiply(
    sch: Schedule, main: SBlockRV, thread: LoopRV, lanes: int, whole: bool, unrolled: bool
) -> LoopRV:
    """Multiply what a thread loads, the whole window or a row of the kernel's at a time.

    Parameters
    ----------
    sch : Schedule
    main : SBlockRV
        The sum of a thread's tile, of data or of a block "pad".
    thread : LoopRV
    lanes : int
    whole, unrolled : bool
        As in `Layout`.

    Returns
    -------
    LoopRV
        The outer loop of the sum.
    """
    spatial, (ry, rx) = inner_loops(sch, main)
    sch.reorder(ry, rx, *spatial)
    window = window_in_registers(sch, main)
    at = thread if whole else ry
    around = len(sch.get_loops(main)) - len(spatial) - (2 if whole else 1)
    for loads in (window, sch.cache_read(main, 1, "local")):
        sch.compute_at(loads, at, preserve_unit_loops=True)
        move_vectors(sch, loads, lanes, around)
    unroll(sch, *spatial)
    if unrolled:
        unroll(sch, rx)
    if whole:
        unroll(sch, ry)
    return ry


DEPTHWISE = Rule("depthwise", 1, Layout, _plan, _schedule, permutes=True)
