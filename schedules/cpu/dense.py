"""Dense convolutions, pointwise ones above all, and products with a matrix of weights."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import IterVar, PrimFunc

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Device

from ..rule import Rule
from .blocks import find_tiled, flatten_pixels, inline_epilogue, inner_loops, spread
from .tiles import largest_divisor, power_of_two_divisor


def _apply(function: PrimFunc, device: Device) -> Schedule | None:
    """Accumulate a tile of pixels and channels in registers over the whole reduction.

    Pattern: a block ``dense`` or ``matrix`` over packed weights, what pads its input, and
    element-wise blocks after it.

    A tile's weights are read as vectors that every one of its pixels uses, a pixel's value as a
    broadcast that every one of its vectors uses. Several tiles of pixels in a row use the same
    weights while they are in the first cache. The epilogue works on the registers.
    """
    sch = Schedule(function)
    found = find_tiled(sch, ("dense", "matrix"))
    if found is None:
        return None
    main, tile = found
    output = inline_epilogue(sch, main)
    spread(sch, output, device)
    if sch.get(main).name_hint == "matrix":
        flatten_pixels(sch, output)
    *outer, channel = sch.get_loops(output)
    block, vectors, lanes = sch.split(channel, [None, tile.vectors, tile.lanes])
    *far, width = outer
    rows, pixels = sch.split(width, [None, tile.pixels])
    near = _near_tiles(sch, rows, main, tile, device)
    rows, several = sch.split(rows, [None, near])
    sch.reorder(*far, rows, block, several, pixels, vectors, lanes)
    sch.compute_at(main, several, preserve_unit_loops=True)
    sch.set_scope(main, 0, "local")
    spatial, reduced = inner_loops(sch, main)
    *near_pixels, near_channel = spatial
    near_vectors, near_lanes = sch.split(near_channel, [None, tile.lanes])
    sch.reorder(*reduced, *near_pixels, near_vectors, near_lanes)
    for loop in (*near_pixels, near_vectors, pixels, vectors):
        sch.unroll(loop)
    sch.vectorize(near_lanes)
    sch.vectorize(lanes)
    pads = [b for b in sch.get_producers(main) if sch.get(b).name_hint == "pad"]
    parallel = sch.fuse(*far, rows, block) if not pads else sch.fuse(*far)
    for pad in pads:
        sch.compute_at(pad, parallel)
        last = sch.get_loops(pad)[-1]
        extent = int(sch.get(last).extent)
        _, vector = sch.split(last, [None, power_of_two_divisor(extent, device.lanes)])
        sch.vectorize(vector)
    sch.parallel(parallel)
    sch.decompose_reduction(main, reduced[0])
    return sch


def _near_tiles(sch: Schedule, rows: LoopRV, main: SBlockRV, tile: Tile, device: Device) -> int:
    """Return how many tiles of pixels in a row share the weights: their input stays in cache."""
    depth = 1
    for variable in sch.get(main).iter_vars:
        if variable.iter_type == IterVar.CommReduce:
            depth *= int(variable.dom.extent)
    count, size = int(sch.get(rows).extent), tile.pixels * depth * 4
    most = max(1, device.caches[min(1, len(device.caches) - 1)] // 4 // size)
    return largest_divisor(count, min(most, 8))


DENSE = Rule("dense", _apply)
