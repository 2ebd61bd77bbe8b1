"""Pooling: windows of a map, or all of it."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx import PrimFunc

from tvmlcnn.targets import Device

from ..decisions import Policy
from ..rule import Rule
from .blocks import inline_epilogue, inner_loops, spread
from .tiles import CHAINS, largest_divisor, power_of_two_divisor

# Taps of a window whose code is unrolled at most.
_MOST_UNROLLED = 25


def _apply(function: PrimFunc, device: Device, policy: Policy) -> Schedule | None:
    """Reduce vectors of channels.

    Pattern: a block ``pool`` or ``global_average``, and element-wise blocks after it.

    For a window the loop over a pixel's channels is the inner one, around the unrolled taps:
    where each tap reads is the same for all channels. Over a whole map the loop over the pixels
    is, with as many vectors of channels side by side as make the additions overlap.
    """
    sch = Schedule(function)
    main = _find(sch)
    if main is None:
        return None
    whole = sch.get(main).name_hint == "global_average"
    output = inline_epilogue(sch, main)
    spread(sch, output, device)
    *far, channel = sch.get_loops(output)
    count = int(sch.get(channel).extent)
    wide = power_of_two_divisor(count, device.lanes)
    several = largest_divisor(count // wide, CHAINS + CHAINS // 2) if whole else 1
    block, vectors, lanes = sch.split(channel, [None, several, wide])
    sch.compute_at(main, block, preserve_unit_loops=True)
    (*pixels, near), reduced = inner_loops(sch, main)
    near_vectors, near_lanes = sch.split(near, [None, wide])
    sch.reorder(*reduced, *pixels, near_vectors, near_lanes)
    taps = 1
    for loop in reduced:
        taps *= int(sch.get(loop).extent)
    for loop in (*(reduced if taps <= _MOST_UNROLLED else ()), near_vectors, vectors):
        sch.unroll(loop)
    sch.vectorize(near_lanes)
    sch.vectorize(lanes)
    sch.parallel(sch.fuse(*far, block) if whole else sch.fuse(*far[:-1]))
    sch.decompose_reduction(main, reduced[0])
    return sch


def _find(sch: Schedule) -> SBlockRV | None:
    for block in sch.get_child_blocks(sch.get_sblock("root")):
        if sch.get(block).name_hint in ("pool", "global_average"):
            return block
    return None


POOLING = Rule("pooling", _apply)
