"""3x3 convolutions by Winograd's minimal filtering."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import PrimFunc

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Device

from ..decisions import Policy
from ..rule import Rule
from .blocks import find_tiled, inline_epilogue, inner_loops, vectorize
from .tiles import power_of_two_divisor


def _apply(function: PrimFunc, device: Device, policy: Policy) -> Schedule | None:
    """Take a block of tiles of the map through all steps while it is in the caches.

    Pattern: the blocks of `tvmlcnn.ops.winograd`, and element-wise blocks after them.

    For each block of tiles the transformed input is stored; for each block of channels come the
    products and then, from the cache, the transform of the output with the epilogue. So the
    transformed output is never larger than a block of channels, and the weights are read in the
    order in which they lie. Both transforms work on one tile and one vector of channels at a
    time, fully unrolled, so that their matrices become additions.

    With one block of tiles, the cores share the blocks of channels, each reading its own weights
    once; the input is then transformed before, by all of them.
    """
    sch = Schedule(function)
    found = find_tiled(sch, ("winograd",))
    if found is None:
        return None
    main, tile = found
    block = int(sch.get(main).annotations["tvmlcnn.block"])
    sch.unannotate(main, "tvmlcnn.block")
    (spectrum,) = sch.get_producers(main)
    blocks, channel_blocks = _output(sch, main, tile, block)
    products, reduction = _products(sch, main, tile, channel_blocks)
    if int(sch.get(blocks).extent) > 1:
        sch.compute_at(spectrum, blocks, preserve_unit_loops=True)
        _input(sch, spectrum, device)
        sch.parallel(blocks)
    else:
        sch.parallel(_input(sch, spectrum, device))
        sch.parallel(sch.fuse(blocks, channel_blocks))
    for stage in (spectrum, products):
        # The points of the transform lie an odd number of lines apart: a transform touches all of
        # them, and at a power of two they would share a few sets of the first cache.
        sch.storage_align(stage, 0, 1, 32, 16)
    sch.decompose_reduction(main, reduction)
    return sch


def _output(sch: Schedule, main: SBlockRV, tile: Tile, block: int) -> tuple[LoopRV, LoopRV]:
    """Schedule what follows the products; return the loops over blocks of tiles, of channels."""
    (rows,) = sch.get_consumers(main)
    (transformed,) = sch.get_consumers(rows)
    outputs = int(sch.get(transformed).iter_vars[1].dom.extent)
    output = inline_epilogue(sch, transformed)
    batch, height, width, channel = sch.get_loops(output)
    height, y = sch.split(height, [None, outputs])
    width, x = sch.split(width, [None, outputs])
    channels, vectors, lanes = sch.split(channel, [None, tile.vectors, tile.lanes])
    sch.reorder(batch, height, width, channels, vectors, y, x, lanes)
    blocks, near = sch.split(sch.fuse(batch, height, width), [None, block])
    sch.reorder(blocks, channels, near, vectors, y, x, lanes)
    _unroll(sch, y, x, lanes)
    for stage in (transformed, rows):
        sch.compute_at(stage, vectors, preserve_unit_loops=True)
        _unroll(sch, *sch.get_loops(stage)[-3:])
    return blocks, channels


def _products(sch: Schedule, main: SBlockRV, tile: Tile, at: LoopRV) -> tuple[SBlockRV, LoopRV]:
    """Accumulate in registers; return the block that stores the sums, and the summing loop."""
    products = sch.cache_write(main, 0, "global")
    sch.compute_at(products, at, preserve_unit_loops=True)
    tiles, channel = sch.get_loops(products)[-2:]
    tiles, near = sch.split(tiles, [None, tile.pixels])
    vectors, lanes = sch.split(channel, [None, tile.lanes])
    _unroll(sch, near, vectors, lanes)
    sch.compute_at(main, tiles, preserve_unit_loops=True)
    spatial, reduced = inner_loops(sch, main)
    *_, near, channel = spatial
    vectors, lanes = sch.split(channel, [None, tile.lanes])
    sch.reorder(*reduced, near, vectors, lanes)
    _unroll(sch, near, vectors, lanes)
    return products, reduced[0]


def _input(sch: Schedule, spectrum: SBlockRV, device: Device) -> LoopRV:
    """Transform a tile of the input after the other; return the loop over the tiles."""
    (rows,) = sch.get_producers(spectrum)
    (patch,) = sch.get_producers(rows)
    i, j, tiles, channel = sch.get_loops(spectrum)[-4:]
    wide = power_of_two_divisor(int(sch.get(channel).extent), device.lanes)
    vectors, lanes = sch.split(channel, [None, wide])
    # Two rows at a time: the intermediates of all are more than TVM keeps on the stack.
    pairs, i = sch.split(i, [None, 2])
    sch.reorder(tiles, vectors, pairs, i, j, lanes)
    sch.unroll(pairs)
    _unroll(sch, i, j, lanes)
    sch.compute_at(rows, pairs, preserve_unit_loops=True)
    _unroll(sch, *sch.get_loops(rows)[-3:])
    # Copying first what a tile reads keeps the tests for the map's border out of the transform.
    sch.compute_at(patch, tiles, preserve_unit_loops=True)
    vectorize(sch, patch, device)
    return tiles


def _unroll(sch: Schedule, first: LoopRV, second: LoopRV, lanes: LoopRV) -> None:
    sch.unroll(first)
    sch.unroll(second)
    sch.vectorize(lanes)


WINOGRAD = Rule("winograd", _apply)
