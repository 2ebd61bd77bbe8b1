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
from ..layer import Layer
from ..rule import Definition, Plan, Rule
from .blocks import LANES, by_elements, share_out
from .gemm import gemm_of
from .gemm_kernel import gemm_kernel
from .gemm_tile import GemmTile
from .gemm_tiles import copied_tiles

# Runs of channels that lie apart, each of which costs two instructions for a place; those of more
# have a table of them in memory.
_MOST_JUMPS = 16


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
    groups, inner = gathering.groups, gemm.lying_together
    tiles = [
        tile
        for tile in copied_tiles(gathering.rows, own, steps, groups, inner, device)
        if groups == 1 or own % tile.block_channels == 0
    ]
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

    loaded = tile.loaded if not first else 1
    vectors = gemm.together % LANES == gemm.wide % LANES == steps % LANES == 0
    copied = loaded if vectors else 1
    layout = Layout(tile, copied, loaded, gemm.copies_padding, first, gemm.channels % LANES == 0)
    return Plan(IMPLICIT_GEMM.name, layer.element, layer.workload, layout, definition=definition)


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Gather panels where they are copied to shared memory, but what is to be in memory before."""
    layout = plan.layout
    for block in producers(sch, sch.get_sblock("panel")):
        if layout.copies_padding:
            by_elements(sch, block, device)
        else:
            sch.compute_inline(block)
    return gemm_kernel(
        sch,
        layout.tile,
        device,
        partial(_copy_panel, layout=layout),
        loaded=layout.loaded,
        vectors=layout.stores_vectors,
        resident=layout.tile.resident(device),
    )


def _copy_panel(sch: Schedule, chunk: LoopRV, layout: Layout) -> None:
    panel = sch.cache_read(sch.get_sblock("product"), 0, "shared")
    sch.compute_at(panel, chunk, preserve_unit_loops=True)
    sch.compute_inline(sch.get_sblock("panel"))
    *_, share, row, step = sch.get_loops(panel)
    order = [step, row] if layout.rows_first else [row, step]
    sch.reorder(*order)
    share_out(sch, [share, *order], layout.tile.threads, layout.copied)


def producers(sch: Schedule, block: SBlockRV) -> list[SBlockRV]:
    """Return the blocks that a block's data pass through, the last one first."""
    found = []
    while before := sch.get_producers(block):
        block = before[0]
        found.append(block)
    return found


IMPLICIT_GEMM = Rule("implicit_gemm", 2, Layout, _plan, _schedule)
