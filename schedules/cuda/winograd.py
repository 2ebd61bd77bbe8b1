"""Winograd's minimal filtering of 3x3 convolutions, on a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn import ops
from tvmlcnn.ops.winograd_product import OUTPUTS
from tvmlcnn.targets import Gpu

from ..channel_places import first_of_neighbours
from ..decisions import Decisions
from ..epilogue import inline_epilogue
from ..layer import Convolution, Layer
from ..rule import Definition, Plan, Rule
from .blocks import LANES, share_out
from .gemm_kernel import gemm_kernel
from .gemm_tile import GemmTile
from .threads import move_vectors, unroll
from .winograd_tiles import POINTS, tiles_of, time_of_direct, work_of

# A chunk's weights are brought and its map is loaded after the one before has been transformed, and
# arrive while that is multiplied.
_ORDER = (1, 2, 0, 3)
# What it is to gain, so that errors of these estimates do not decide.
_MARGIN = 1.1


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : GemmTile
        Of the products; its rows are tiles of the map, and its shares the points.
    resident : int
        Blocks on a multiprocessor.
    stores_vectors : bool
        Whether all vectors of channels are whole.
    """

    tile: GemmTile
    resident: int
    stores_vectors: bool


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take 3x3 convolutions of whole channels-last maps of numbers that sums are of too."""
    if not isinstance(layer, Convolution) or layer.groups > 1 or layer.channels_first:
        return None
    if not device.multiplies_by_lanes(layer.element):
        return None
    *kernel, inner, channels = layer.weight.shape
    first = first_of_neighbours(layer)
    plain = ops.Window(padding=layer.window.padding)
    if first is None or kernel != [3, 3] or layer.window != plain:
        return None
    options = tiles_of(layer, device)
    if not options:
        return None
    tile = decisions.choose("tile", list(options))

    def definition() -> Definition:
        transformed = ops.transform_weights(layer.weight, OUTPUTS)
        define = partial(
            ops.winograd_product,
            shape=layer.shape,
            padding=layer.window.padding,
            rows=tile.block_rows,
            first=first,
            prologue=ops.chain(layer.prologue) if layer.prologue else None,
        )
        packed = ops.pack(transformed, ops.Tile(1, 1, tile.block_channels))
        return Definition(define, [packed.reshape(len(packed), POINTS, inner, -1)])

    return Plan(
        WINOGRAD.name,
        layer.element,
        layer.workload,
        Layout(tile, work_of(tile, inner).resident(device), channels % LANES == 0),
        pays=options[tile] * _MARGIN < time_of_direct(layer, device),
        definition=definition,
    )


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Have the threads of each point multiply what all threads have transformed.

    What they have summed up meets in shared memory, where all threads make outputs of it.
    """
    layout, tile = plan.layout, plan.layout.tile
    return gemm_kernel(
        sch,
        tile,
        device,
        partial(_make_panel, threads=tile.threads),
        loaded=tile.loaded,
        vectors=layout.stores_vectors,
        resident=layout.resident,
        order=_ORDER,
        join=partial(_make_outputs, layout=layout),
    )


def _make_panel(sch: Schedule, chunk: LoopRV, threads: int) -> None:
    """Have each thread load a channel of a tile of the map, and transform it.

    The two are apart, so that what is loaded arrives while the chunk before is multiplied.
    """
    panel, rows, patch = (sch.get_sblock(name) for name in ("panel", "input_rows", "patch"))
    sch.compute_inline(sch.get_sblock("input"))
    sch.set_scope(panel, 0, "shared")
    sch.compute_at(panel, chunk, preserve_unit_loops=True)
    *_, point, tile, channel = sch.get_loops(panel)
    sch.reorder(tile, channel, point)
    thread = share_out(sch, [tile, channel], threads)
    sch.unroll(point)
    sch.set_scope(rows, 0, "local")
    sch.compute_at(rows, thread, preserve_unit_loops=True)
    around = len(sch.get_loops(panel)) - 1
    unroll(sch, *sch.get_loops(rows)[around:])
    sch.set_scope(patch, 0, "local")
    sch.compute_at(patch, chunk, preserve_unit_loops=True)
    *_, tile, i, j, channel = sch.get_loops(patch)
    sch.reorder(tile, channel, i, j)
    share_out(sch, [tile, channel], threads)
    unroll(sch, i, j)


def _make_outputs(sch: Schedule, main: SBlockRV, layout: Layout) -> tuple[SBlockRV, SBlockRV]:
    """Have all threads of a block make outputs of the products at all points."""
    tile = layout.tile
    rows, transformed = sch.get_sblock("output_rows"), sch.get_sblock("output")
    output = inline_epilogue(sch, sch.get_sblock("store"), "local")
    sch.compute_inline(sch.get_sblock("store"))
    batch, height, width, channel = sch.get_loops(output)
    height, y = sch.split(height, [None, OUTPUTS])
    width, x = sch.split(width, [None, OUTPUTS])
    block, channel = sch.split(channel, [None, tile.block_channels])
    vector, lanes = sch.split(channel, [None, LANES])
    sch.reorder(batch, height, width, block, vector, y, x, lanes)
    tiles, near = sch.split(sch.fuse(height, width), [None, tile.block_rows])
    # As many threads as there are sums of rows at a point make an output, or two or four.
    sharing = POINTS // tile.rows
    shared = {1: [], 2: [y], 4: [y, x]}[sharing]
    own = [loop for loop in (y, x) if loop not in shared]
    sch.reorder(batch, tiles, block, near, *shared, vector, *own, lanes)
    sch.bind(block, "blockIdx.x")
    sch.bind(tiles, "blockIdx.y")
    sch.bind(batch, "blockIdx.z")
    thread = sch.fuse(near, *shared, vector)
    sch.bind(thread, "threadIdx.x")
    for stage in (transformed, rows):
        sch.set_scope(stage, 0, "local")
        sch.compute_at(stage, thread, preserve_unit_loops=True)
        unroll(sch, *sch.get_loops(stage)[4:])
    sch.compute_at(main, block, preserve_unit_loops=True)
    sch.set_scope(main, 0, "shared")
    writer = sch.cache_write(main, 0, "local")
    read = sch.cache_read(rows, 0, "local")
    sch.compute_at(read, thread, preserve_unit_loops=True)
    move_vectors(sch, read, LANES, 4)
    unroll(sch, *own)
    if layout.stores_vectors:
        sch.vectorize(lanes)
    return writer, output


WINOGRAD = Rule("winograd", 1, Layout, _plan, _schedule)
