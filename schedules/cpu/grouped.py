"""Convolutions of channels in groups: ResNeXt's, AlexNet's, and ShuffleNet's pointwise ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV

from tvmlcnn import ops
from tvmlcnn.ops import Tile
from tvmlcnn.ops.grouped import alignment
from tvmlcnn.targets import Cpu

from ..decisions import Decisions
from ..epilogue import flatten_pixels, inline_epilogue
from ..layer import Convolution, Layer
from ..rule import Definition, Plan, Rule
from .accumulate import accumulate, unroll
from .blocks import spread, vectorize
from .grouped_tiles import diagonal_tiles, grouped_tiles
from .tiles import SCALES, largest_divisor, scaled

# Rows of a strip, or tiles of one, that tuning tries at most.
_MOST = 64


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : Tile
    outer : int
        Output channels of a group.
    diagonals : bool
        Whether groups are smaller than a vector, and their weights packed by diagonals.
    flat : bool
        Whether the pixels of the map are the rows of one matrix.
    """

    tile: Tile
    outer: int
    diagonals: bool
    flat: bool

    @property
    def block(self) -> str:
        """Name of the block that multiplies."""
        return "grouped_diagonals" if self.diagonals else "grouped"


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take convolutions in groups that vectors divide somehow, but depthwise ones of whole ones."""
    if not isinstance(layer, Convolution) or layer.groups == 1:
        return None
    core = device.core(layer.element)
    weight, groups, window = layer.weight, layer.groups, layer.window
    batch, height, width, channels = layer.shape
    rows, columns, inner, _ = weight.shape
    outer = channels // groups
    if layer.is_depthwise and any(channels % lanes == 0 for lanes in core.vectors()):
        return None

    def plan(layout: Layout, definition: Callable[[], Definition]) -> Plan:
        return Plan(GROUPED.name, layer.element, layer.workload, layout, definition=definition)

    diagonal = diagonal_tiles(width, inner, channels, core) if inner == outer else []
    if diagonal:
        tile = decisions.choose("tile", diagonal)
        turned = partial(ops.grouped_diagonals, window=window, tile=tile)
        return plan(
            Layout(tile, inner, True, False),
            lambda: Definition(turned, [ops.diagonals(weight, tile.lanes)]),
        )
    flat = batch == rows == columns == 1 and window == ops.Window()
    tiles = grouped_tiles(height * width if flat else width, rows * columns, channels, groups, core)
    if not tiles:
        return None
    tile = decisions.choose("tile", tiles)
    define = partial(ops.grouped, channels=channels, groups=groups, window=window, tile=tile)
    return plan(
        Layout(tile, outer, False, flat), lambda: Definition(define, [ops.pack(weight, tile)])
    )


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Accumulate a tile of pixels and channels in registers over the channels of a group.

    The taps of a row of the kernel are unrolled: neighbouring pixels share inputs, which then
    stay in registers. A map is cut into strips of rows and channels, each of which first copies
    its input with the zeros around it, so that the inner loops have no conditions; lying close
    together it also keeps out of its own way in the cache.
    """
    layout, core = plan.layout, device.core(plan.element)
    tile, outer, costs = layout.tile, layout.outer, core.costs
    # Where a vector's lane decides about its group, code is made for each tile of a period.
    period = 1 if layout.diagonals else max(1, alignment(outer, tile.lanes) // tile.channels)

    main = sch.get_sblock(layout.block)
    output = inline_epilogue(sch, main)
    spread(sch, output, core)
    if layout.flat:
        flatten_pixels(sch, output)
    *far, width, channel = sch.get_loops(output)
    block, piece, vectors, lanes = sch.split(channel, [None, period, tile.vectors, tile.lanes])
    blocks = int(sch.get(block).extent)
    several = max(1, max(outer, 4 * tile.lanes) // (period * tile.channels))
    several = scaled(several, blocks, decisions.choose("strip", SCALES))
    strip, block = sch.split(block, [None, largest_divisor(blocks, several)])
    usual = costs.strip_rows if far else costs.strip_tiles
    most = scaled(usual, _MOST, decisions.choose("rows", SCALES))
    far, near, width = _rows(sch, far, width, tile, most)
    width, pixels = sch.split(width, [None, tile.pixels])
    sch.reorder(*far, strip, block, piece, *near, width, pixels, vectors, lanes)
    near_pixels, reduced = accumulate(
        sch, main, width, tile.lanes, channel_axes=2 if layout.diagonals else 1
    )
    # All taps of diagonals, else those of a row of the kernel.
    unroll(sch, *(reduced if layout.diagonals else reduced[2:]), *near_pixels)
    unroll(sch, piece, pixels, vectors)
    sch.vectorize(lanes)
    parallel = sch.fuse(*far, strip)
    for pad in sch.get_producers(main):
        if sch.get(pad).name_hint == "pad":
            sch.compute_at(pad, parallel)
            vectorize(sch, pad, core)
    sch.parallel(parallel)
    sch.decompose_reduction(main, reduced[0])
    return sch


def _rows(
    sch: Schedule, far: list[LoopRV], width: LoopRV, tile: Tile, most: int
) -> tuple[list[LoopRV], list[LoopRV], LoopRV]:
    """Split the rows of a map, or the pixels where they are one row, into strips."""
    if not far:
        tiles = -(-int(sch.get(width).extent) // tile.pixels)
        strips, width = sch.split(width, [None, largest_divisor(tiles, most) * tile.pixels])
        return [strips], [], width
    *batch, height = far
    height, near = sch.split(height, [None, largest_divisor(int(sch.get(height).extent), most)])
    return [*batch, height], [near], width


GROUPED = Rule("grouped", 1, Layout, _plan, _schedule)
