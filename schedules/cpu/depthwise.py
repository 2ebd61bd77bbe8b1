"""Depthwise convolutions."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from tvmlcnn.targets import Device

from ..decisions import Policy
from ..rule import Rule
from .blocks import find_tiled, inline_epilogue, inner_loops, spread
from .padding import skip_padding, without_borders
from .tiles import depthwise_strips

# Taps of a kernel whose loops are unrolled; of a larger one, only those of a row.
UNROLLED_TAPS = 25


def _apply(function: PrimFunc, device: Device, policy: Policy) -> Schedule | None:
    """Accumulate a few pixels of a row, a vector of channels each, over the unrolled kernel.

    Pattern: a block ``depthwise``, what pads its input, and element-wise blocks after it.

    A pixel that is loaded serves all the taps of the row that it lies under, and its row the rows
    of output around it, while it is in the first cache: on large maps all channels of a few
    pixels are taken in turn, as they lie in memory, on small ones a strip of channels goes over
    the whole map. Taps in the padding are left out; only the first and the last tile of a row and
    the first and the last rows have any.
    """
    found = find_tiled(Schedule(function), ("depthwise",))
    if found is None:
        return None
    sch = Schedule(skip_padding(function, "depthwise"))
    found = find_tiled(sch, ("depthwise",))
    assert found is not None
    main, tile = found
    output = inline_epilogue(sch, main)
    spread(sch, output, device)
    batch, height, width, channel = sch.get_loops(output)
    # Channels that fill up a vector are computed, but need not be stored.
    _, _, columns, channels, *taps = (int(v.dom.extent) for v in sch.get(main).iter_vars)
    decisions = policy.of("depthwise", tile.workload)
    strips = depthwise_strips(columns, channels, taps[0], tile, device)
    strip_vectors = decisions.choose("strip", strips)
    width, pixels = sch.split(width, [None, tile.pixels])
    strip, several, vectors, lanes = sch.split(
        channel, [None, strip_vectors // tile.vectors, tile.vectors, tile.lanes]
    )
    sch.reorder(batch, strip, height, width, several, pixels, vectors, lanes)
    sch.compute_at(main, several, preserve_unit_loops=True)
    (one, row, near_pixels, near_channel), (ry, rx) = inner_loops(sch, main)
    near_vectors, near_lanes = sch.split(near_channel, [None, tile.lanes])
    sch.reorder(one, ry, row, near_pixels, rx, near_vectors, near_lanes)
    for loop in (row, near_pixels, rx, near_vectors, pixels, vectors):
        sch.unroll(loop)
    few = taps[0] * taps[1] <= UNROLLED_TAPS
    if decisions.choose("unroll", (few, not few)):
        sch.unroll(ry)
    sch.vectorize(near_lanes)
    sch.vectorize(lanes)
    without_borders(sch, width)
    sch.parallel(sch.fuse(batch, strip, height))
    sch.decompose_reduction(main, ry)
    return sch


DEPTHWISE = Rule("depthwise", _apply)
