"""A pointwise convolution and the depthwise one that reads it."""

from __future__ import annotations

from tvm.ir import Range
from tvm.s_tir import SBlock, Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import BufferRegion, PrimFunc

from tvmlcnn.ops import Tile
from tvmlcnn.ops.pointwise_depthwise import BAND
from tvmlcnn.targets import Device

from ..decisions import Policy
from ..rule import Rule
from .blocks import find_tiled, inline_epilogue, inner_loops, spread
from .depthwise import UNROLLED_TAPS
from .padding import skip_padding, without_borders

_MAIN, _BETWEEN = "pointwise_depthwise", "between"


def _apply(function: PrimFunc, device: Device, policy: Policy) -> Schedule | None:
    """Take a band of rows, a block of channels each, through both convolutions while it is near.

    Pattern: the blocks of `tvmlcnn.ops.pointwise_depthwise`, and element-wise blocks after them.

    Both accumulate in registers as they do alone; what is between them is as large as the second
    cache takes. Another way is to keep only the rows that one row of output reads, but then a
    tile of pixels meets the weights of all channels, which do not fit the first cache. The first
    and the last row and tile of a row, which read the padding, have code of their own.
    """
    if find_tiled(Schedule(function), (_MAIN,)) is None:
        return None
    sch = Schedule(_reading_whole_pieces(skip_padding(function, _MAIN)))
    found, product = find_tiled(sch, (_MAIN,)), find_tiled(sch, ("pointwise",))
    assert found is not None
    assert product is not None
    main, tile = found
    rows = int(sch.get(main).annotations[BAND])
    sch.unannotate(main, BAND)
    between = sch.get_sblock(_BETWEEN)
    wide = int(sch.get(between).iter_vars[-1].dom.extent)
    output = inline_epilogue(sch, main)
    spread(sch, output, device)
    batch, height, width, channel = sch.get_loops(output)
    band, height = sch.split(height, [None, rows])
    block, channel = sch.split(channel, [None, min(wide, int(sch.get(channel).extent))])
    width, pixels = sch.split(width, [None, tile.pixels])
    several, vectors, lanes = sch.split(channel, [None, tile.vectors, tile.lanes])
    sch.reorder(batch, band, block, height, width, several, pixels, vectors, lanes)
    taps = _depthwise(sch, main, several, tile)
    for loop in (pixels, vectors):
        sch.unroll(loop)
    sch.vectorize(lanes)
    without_borders(sch, height)
    without_borders(sch, width)
    sch.compute_at(between, block, preserve_unit_loops=True)
    reduced = _pointwise(sch, between, *product)
    sch.parallel(sch.fuse(batch, band, block))
    sch.decompose_reduction(product[0], reduced)
    sch.decompose_reduction(main, taps)
    return sch


def _reading_whole_pieces(function: PrimFunc) -> PrimFunc:
    """Say that a band reads all pixels of its piece, which bounds of indices do not tell TVM."""
    sch = Schedule(function)
    main = sch.get_sblock(_MAIN)
    old = sch.get(main)
    reads = []
    for read in old.reads:
        region = list(read.region)
        if read.source.name == _BETWEEN:
            region[3] = Range(0, read.source.shape[3])
        reads.append(BufferRegion(read.source, region))
    new = SBlock(
        old.iter_vars, reads, old.writes, _MAIN, old.body, old.init, annotations=old.annotations
    )
    sch.state.replace(sch.get_sref(main), new, {old: new})
    return sch.mod["main"]


def _depthwise(sch: Schedule, main: SBlockRV, at: LoopRV, tile: Tile) -> LoopRV:
    """Accumulate a tile over the kernel; return the outer loop of the sum."""
    sch.compute_at(main, at, preserve_unit_loops=True)
    (one, row, pixels, channel), (ry, rx) = inner_loops(sch, main)
    vectors, lanes = sch.split(channel, [None, tile.lanes])
    sch.reorder(one, ry, row, pixels, rx, vectors, lanes)
    for loop in (row, pixels, rx, vectors):
        sch.unroll(loop)
    if int(sch.get(ry).extent) * int(sch.get(rx).extent) <= UNROLLED_TAPS:
        sch.unroll(ry)
    sch.vectorize(lanes)
    return ry


def _pointwise(sch: Schedule, between: SBlockRV, product: SBlockRV, tile: Tile) -> LoopRV:
    """Accumulate tiles of a piece over the input's channels; return the loop of the sum."""
    (*_, pixel, channel), _ = inner_loops(sch, between)
    tiles, pixels = sch.split(pixel, [None, tile.pixels])
    blocks, vectors, lanes = sch.split(channel, [None, tile.vectors, tile.lanes])
    sch.reorder(blocks, tiles, pixels, vectors, lanes)
    sch.compute_at(product, tiles, preserve_unit_loops=True)
    (*_, near_pixels, near_channel), (reduced,) = inner_loops(sch, product)
    near_vectors, near_lanes = sch.split(near_channel, [None, tile.lanes])
    sch.reorder(reduced, near_pixels, near_vectors, near_lanes)
    for loop in (near_pixels, near_vectors, pixels, vectors):
        sch.unroll(loop)
    sch.vectorize(near_lanes)
    sch.vectorize(lanes)
    return reduced


POINTWISE_DEPTHWISE = Rule("pointwise_depthwise", _apply)
