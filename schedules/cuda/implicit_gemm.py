"""Convolutions and products with weights as implicit GEMM, staged in shared memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn import ops
from tvmlcnn.targets import Gpu

from ..channel_places import jumps
from ..decisions import Decisions
from ..epilogue import flatten_pixels, inline_epilogue
from ..layer import Layer
from ..rule import RESIDENT, SPREAD, Definition, Plan, Rule
from .blocks import LANES, by_elements, copy_together, finish
from .gemm import gemm_of
from .gemm_tiles import GemmTile, gemm_tiles
from .threads import bind, block_sizes, move_vectors, total, unroll

# Runs of channels that lie apart, each of which costs two instructions for a place; those of more
# have a table of them in memory.
_MOST_JUMPS = 16
# Multiply-adds of a thread's chunk that stand in a row, 16 kB of machine code: a loop would compute
# its addresses again in each round.
_UNROLLED = 1024


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : GemmTile
    copied : int
        Steps of the reduction whose data lie together, of those that one copy brings.
    loaded : int
        Of those in shared memory, that one load brings.
    copies_padding : bool
        Whether what lies around the maps is to be in memory.
    rows_first : bool
        Whether neighbouring rows lie together rather than neighbouring steps.
    stores_vectors : bool
        Whether all vectors of channels are whole.
    """

    tile: GemmTile
    copied: int
    loaded: int
    copies_padding: bool
    rows_first: bool
    stores_vectors: bool


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take products with weights, and convolutions but depthwise ones."""
    gemm = gemm_of(layer)
    if gemm is None:
        return None
    gathering, own = gemm.gathering, gemm.channels_of_group
    steps, first = gathering.steps, gathering.channels_first
    tiles = gemm_tiles(gathering.rows, own, steps, gathering.groups, gemm.lying_together, device)
    tiles = [t for t in tiles if gathering.groups == 1 or own % t.block_channels == 0]
    if not tiles:
        return None
    tile = decisions.choose("tile", tiles)
    known = jumps(gemm.places) if len(gemm.places) else []
    computed = len(known) <= _MOST_JUMPS

    def definition() -> Definition:
        tables = [] if computed else [gemm.places.astype(np.int32)]
        define = partial(
            ops.matrix_product,
            gathering=replace(
                gathering, table=not computed, jumps=tuple(known) if computed else ()
            ),
            rows=tile.block_rows,
            sums=gemm.sums,
        )
        matrix = np.pad(gemm.weight, ((0, tile.filled(steps) - steps), (0, 0)))
        packed = ops.pack(matrix, ops.Tile(1, 1, tile.block_channels))
        cut = packed.reshape(len(packed), tile.cut, -1, tile.block_channels)
        return Definition(define, [cut, *tables])

    loaded = LANES if tile.steps % LANES == 0 and not first else 1
    vectors = gemm.together % LANES == gemm.wide % LANES == steps % LANES == 0
    copied = loaded if vectors else 1
    layout = Layout(tile, copied, loaded, gemm.copies_padding, first, gemm.channels % LANES == 0)
    return Plan(IMPLICIT_GEMM.name, layer.element, layer.workload, layout, definition=definition)


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Sum up a tile of rows and channels in the registers of each thread.

    The threads of a block bring a chunk of either factor to shared memory and then read, for each
    of their rows, vectors of steps, and for each step a vector of channels.
    """
    layout, tile = plan.layout, plan.layout.tile
    main = sch.get_sblock("product")
    for block in producers(sch, sch.get_sblock("panel")):
        if layout.copies_padding:
            by_elements(sch, block, device)
        else:
            sch.compute_inline(block)
    if tile.shares > 1:
        writer, output = _add_shares(sch, main, layout)
    elif tile.parts > 1:
        sums = sch.get_sblock("parts")
        output = inline_epilogue(sch, sums, "local")
        writer = sch.cache_write(main, 0, "local")
        add_parts(sch, sums, output, LANES if layout.stores_vectors else 1)
    else:
        writer = output = inline_epilogue(sch, main, "local")
        flatten_pixels(sch, writer)
        sch.set_scope(main, 0, "local")
    finish(sch, output, device)
    *part, row, channel = sch.get_loops(writer)[-3 if tile.cut > 1 else -2 :]
    rows, row_thread, own = sch.split(row, [None, tile.row_threads, tile.rows])
    block, channel_thread, lanes = sch.split(channel, [None, tile.channel_threads, LANES])
    if tile.shares > 1:  # within a block, that is bound
        sch.reorder(rows, block, *part, row_thread, channel_thread, own, lanes)
        thread = sch.fuse(*part, row_thread, channel_thread)
    else:
        sch.reorder(*part, rows, block, row_thread, channel_thread, own, lanes)
        thread = sch.fuse(row_thread, channel_thread)
        for index, axis in ((block, "x"), (rows, "y"), *zip(part, "z", strict=False)):
            sch.bind(index, f"blockIdx.{axis}")
    sch.bind(thread, "threadIdx.x")
    sch.unroll(own)
    if layout.stores_vectors or tile.shares > 1:
        sch.vectorize(lanes)
    _accumulate(sch, main, thread, layout, device)
    # Else the compiler spills registers for the sake of blocks that fit only then.
    sch.annotate(sch.get_sblock("root"), RESIDENT, tile.resident(device))
    sch.annotate(sch.get_sblock("root"), SPREAD, True)
    return sch


def _accumulate(sch: Schedule, main: SBlockRV, thread: LoopRV, layout: Layout, device: Gpu) -> None:
    """Sum up in a thread's registers, chunk by chunk of the reduction."""
    tile = layout.tile
    sch.compute_at(main, thread, preserve_unit_loops=True)
    *_, row, channel, step = sch.get_loops(main)
    chunk, loads, steps = sch.split(step, [None, tile.steps // layout.loaded, layout.loaded])
    sch.reorder(chunk, loads, steps, row, channel)
    panel = sch.cache_read(main, 0, "shared")
    weight = sch.cache_read(main, 1, "shared")
    for factor in (weight, panel):
        sch.compute_at(factor, chunk, preserve_unit_loops=True)
    sch.compute_inline(sch.get_sblock("panel"))
    for factor, lanes in ((panel, layout.copied), (weight, LANES)):
        *_, share, outer, inner = sch.get_loops(factor)
        order = [inner, outer] if layout.rows_first and factor is panel else [outer, inner]
        sch.reorder(*order)
        copy_together(sch, factor, [share, *order], tile.threads, lanes)
    for number, (lanes, at) in enumerate(((layout.loaded, loads), (LANES, steps))):
        register = sch.cache_read(main, number, "local")
        sch.compute_at(register, at, preserve_unit_loops=True)
        *_, outer, inner = sch.get_loops(register)
        sch.unroll(outer)
        if lanes > 1:
            sch.vectorize(inner)
    unroll(sch, steps, row, channel)
    if tile.rows * LANES * tile.steps <= _UNROLLED:
        unroll(sch, loads)
    sch.decompose_reduction(main, chunk)
    if tile.buffers > 1:
        sch.annotate(chunk, "software_pipeline_stage", [0, 0, tile.buffers - 1])
        sch.annotate(chunk, "software_pipeline_order", [0, 1, 2])
        if device.copies_asynchronously:
            sch.annotate(chunk, "software_pipeline_async_stages", [0])


def _add_shares(sch: Schedule, main: SBlockRV, layout: Layout) -> tuple[SBlockRV, SBlockRV]:
    """Add the shares of the reduction in shared memory, and store what follows.

    Return the block that writes a thread's sums of its share there, and the one that stores.
    """
    tile, sums = layout.tile, sch.get_sblock("parts")
    output = inline_epilogue(sch, sums, "local")
    flatten_pixels(sch, output)
    row, channel = sch.get_loops(output)
    rows, row = sch.split(row, [None, tile.block_rows])
    block, channel = sch.split(channel, [None, tile.block_channels])
    sch.reorder(rows, block, row, channel)
    sch.bind(block, "blockIdx.x")
    sch.bind(rows, "blockIdx.y")
    _, row = sch.split(row, [None, tile.row_threads * tile.shares])
    channel, vector = sch.split(channel, [None, LANES])
    thread = sch.fuse(row, channel)
    sch.bind(thread, "threadIdx.x")
    sch.set_scope(sums, 0, "local")
    sch.compute_at(sums, thread, preserve_unit_loops=True)
    sch.compute_at(main, block, preserve_unit_loops=True)
    sch.set_scope(main, 0, "shared")
    writer = sch.cache_write(main, 0, "local")
    _add_up(sch, sums, LANES)
    if layout.stores_vectors:
        sch.vectorize(vector)
    return writer, output


def add_parts(sch: Schedule, sums: SBlockRV, output: SBlockRV, lanes: int) -> None:
    """Add the parts of the reduction in a launch of its own, and store what follows."""
    flatten_pixels(sch, output)
    row, channel = sch.get_loops(output)
    rest, vector = sch.split(channel, [None, lanes])
    thread = bind(sch, [row, rest], block_sizes(total(sch, [row, rest]))[0])
    sch.set_scope(sums, 0, "local")
    sch.compute_at(sums, thread, preserve_unit_loops=True)
    _add_up(sch, sums, lanes)
    sch.vectorize(vector)


def _add_up(sch: Schedule, sums: SBlockRV, lanes: int) -> None:
    """Have a thread read vectors of parts, and add up those of its sums."""
    around = len(sch.get_loops(sums)) - 3
    *_, one, channel, part = sch.get_loops(sums)
    sch.reorder(part, one, channel)
    read = sch.cache_read(sums, 0, "local")
    sch.compute_at(read, part, preserve_unit_loops=True)
    move_vectors(sch, read, lanes, around + 1)
    unroll(sch, part, one, channel)
    sch.decompose_reduction(sums, part)


def producers(sch: Schedule, block: SBlockRV) -> list[SBlockRV]:
    """Return the blocks that a block's data pass through, the last one first."""
    found = []
    while before := sch.get_producers(block):
        block = before[0]
        found.append(block)
    return found


IMPLICIT_GEMM = Rule("implicit_gemm", 2, Layout, _plan, _schedule)
