"""Products of matrices that are both computed, as attention's are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule

from tvmlcnn import ops
from tvmlcnn.ops import Tile
from tvmlcnn.targets import Cpu

from ..decisions import Decisions
from ..epilogue import inline_epilogue
from ..layer import BatchedProduct, Layer
from ..levels import is_level
from ..rule import Definition, Plan, Rule
from .accumulate import accumulate, unroll
from .blocks import spread, vectorize
from .dense_tiles import dense_tiles
from .padding import without_borders


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : Tile
    whole : bool
        Whether the tile's columns divide the matrix.
    apart : bool
        Whether all right matrices are packed before the first product: where several products
        share one, or where cores have to share a product.
    """

    tile: Tile
    whole: bool
    apart: bool


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take products of matrices."""
    if not isinstance(layer, BatchedProduct):
        return None
    core = device.core(layer.element)
    (rows, depth), columns = layer.left[-2:], layer.right[-1]
    # Vectors are filled up: short ones take as long as whole ones.
    filled = -(-columns // core.lanes) * core.lanes
    tile = dense_tiles(rows, depth, filled, core)[0]
    outer = layer.shape[:-2]
    shared = math.prod(layer.right[:-2]) < math.prod(outer)
    apart = shared or math.prod(outer) < core.count or not outer
    return Plan(
        BATCHED_PRODUCT.name,
        layer.element,
        layer.workload,
        Layout(tile, columns % tile.channels == 0, apart),
        definition=lambda: Definition(partial(ops.batched_product, tile=tile), name="product"),
    )


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Accumulate a tile in registers over the whole reduction, as `dense` does.

    The right matrix is packed first, which its many uses pay for. Each core has products of its
    own, or where they are few, rows of all.
    """
    layout, core = plan.layout, device.core(plan.element)
    tile = layout.tile
    main, pack = sch.get_sblock("product"), sch.get_sblock("pack")
    output = inline_epilogue(sch, main)
    spread(sch, output, core)
    *outer, row, column = sch.get_loops(output)
    rows, pixels = sch.split(row, [None, tile.pixels])
    if layout.whole:
        block, vectors, lanes = sch.split(column, [None, tile.vectors, tile.lanes])
    else:
        block, vectors = sch.split(column, [None, tile.channels])
        lanes = None
    far = [rows, block] if layout.apart else [block, rows]
    sch.reorder(*far, pixels, vectors)
    if lanes is not None:
        unroll(sch, pixels, vectors)
        sch.vectorize(lanes)
    loops, (k,) = accumulate(sch, main, far[-1], tile.lanes)
    unroll(sch, loops[-1])
    levels = [(main, k)]
    while parts := [part for part in sch.get_producers(levels[0][0]) if is_level(sch, part)]:
        loops, (step,) = accumulate(sch, parts[0], levels[0][1], tile.lanes)
        unroll(sch, loops[len(outer)])
        levels.insert(0, (parts[0], step))
    if not layout.apart:
        matrix = outer[-1]
        sch.compute_at(pack, matrix)
    vectorize(sch, pack, core)
    if layout.apart:
        *around, _, _ = sch.get_loops(pack)[:-1] if layout.whole else sch.get_loops(pack)
        sch.parallel(sch.fuse(*around))
        sch.parallel(sch.fuse(*outer, rows))
    else:
        sch.parallel(sch.fuse(*outer))
    if not layout.whole:
        without_borders(sch, block)
    for part, step in levels:
        sch.decompose_reduction(part, step)
    return sch


BATCHED_PRODUCT = Rule("batched_product", 1, Layout, _plan, _schedule)
