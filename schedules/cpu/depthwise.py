"""Depthwise convolutions."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from tvmlcnn.targets import Device

from ..rule import Rule
from .blocks import find_tiled, inline_epilogue, inner_loops, spread
from .tiles import largest_divisor

# Vectors of channels in a strip: long enough for the memory's prefetcher, short enough that a
# strip of rows stays in the second cache.
_STRIP_VECTORS = 4
# Rows of output a strip has at most: two more rows of input are copied for each strip.
_STRIP_ROWS = 8


def _apply(function: PrimFunc, device: Device) -> Schedule | None:
    """Accumulate a few pixels of a row, a vector of channels each, over the unrolled kernel.

    Pattern: a block ``depthwise``, what pads its input, and element-wise blocks after it.

    The work is cut into strips of rows and channels, and each strip first copies its input with
    the zeros around it, so that the inner loops have no conditions; testing at each tap whether
    it lies inside would cost more than the copy, which stays in the cache.
    """
    sch = Schedule(function)
    found = find_tiled(sch, ("depthwise",))
    if found is None:
        return None
    main, tile = found
    output = inline_epilogue(sch, main)
    spread(sch, output, device)
    batch, height, width, channel = sch.get_loops(output)
    rows = largest_divisor(int(sch.get(height).extent), _STRIP_ROWS)
    height, near = sch.split(height, [None, rows])
    width, pixels = sch.split(width, [None, tile.pixels])
    strip, vectors, lanes = sch.split(
        channel, [None, _strip_vectors(int(sch.get(channel).extent), tile.lanes), tile.lanes]
    )
    sch.reorder(batch, height, strip, near, width, vectors, pixels, lanes)
    sch.unroll(pixels)
    sch.vectorize(lanes)
    sch.compute_at(main, vectors, preserve_unit_loops=True)
    spatial, reduced = inner_loops(sch, main)
    sch.reorder(*reduced, *spatial)
    for loop in (*reduced, *spatial[:-1]):
        sch.unroll(loop)
    sch.vectorize(spatial[-1])
    parallel = sch.fuse(batch, height, strip)
    for pad in sch.get_producers(main):
        sch.compute_at(pad, parallel)
        _, vector = sch.split(sch.get_loops(pad)[-1], [None, tile.lanes])
        sch.vectorize(vector)
    sch.parallel(parallel)
    sch.decompose_reduction(main, reduced[0])
    return sch


def _strip_vectors(channels: int, lanes: int) -> int:
    return largest_divisor(channels // lanes, _STRIP_VECTORS)


DEPTHWISE = Rule("depthwise", _apply)
