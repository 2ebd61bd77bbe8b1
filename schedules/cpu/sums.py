"""Long sums: of vectors side by side, in blocks."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.targets import Core

from ..epilogue import inner_loops
from .accumulate import unroll
from .padding import without_borders
from .tiles import largest_divisor, power_of_two_divisor


def sums_side_by_side(count: int, core: Core) -> int:
    """Return how many sums of a row go on side by side; those left over are one chain."""
    chains = core.costs.chains
    options = [1 << n for n in range((core.lanes * chains // 2).bit_length()) if 1 << n <= count]

    def cost(wide: int) -> float:
        vectors = -(-wide // core.lanes)
        # A chain of additions waits for itself; sums are added one by one in the end.
        return count // wide * max(vectors, chains / 2) + count % wide * chains / 2 + wide

    return min(options, key=cost)


def sums_of_row(sch: Schedule, stage: SBlockRV, outer: int | None) -> None:
    """Add up what lies together; split so many outer loops over the cores, if any."""
    spatial, (step,) = inner_loops(sch, stage)
    sch.reorder(step, spatial[-1])
    sch.vectorize(spatial[-1])
    if outer:
        sch.parallel(sch.fuse(*spatial[:outer]))
    sch.decompose_reduction(stage, step)


def sums_of_channels(sch: Schedule, stage: SBlockRV, lead: int, core: Core) -> None:
    """Add up vectors of the last axis; outer axes and blocks are split over the cores."""
    spatial, (step,) = inner_loops(sch, stage)
    channel = spatial[-1]
    count = int(sch.get(channel).extent)
    lanes = power_of_two_divisor(count, core.lanes)
    if lanes in core.vectors():
        several = largest_divisor(count // lanes, core.costs.chains)
        block, vectors, lane = sch.split(channel, [None, several, lanes])
        sch.reorder(block, step, vectors, lane)
        unroll(sch, vectors)
        sch.vectorize(lane)
    else:
        sch.reorder(step, channel)
    if outer := spatial[: min(lead + 1, len(spatial) - 1)]:
        sch.parallel(sch.fuse(*outer))
    sch.decompose_reduction(stage, step)


def small(sch: Schedule, stage: SBlockRV, core: Core) -> None:
    """Run a stage over sums that are there already."""
    spatial, reduced = inner_loops(sch, stage)
    if reduced and not str(sch.get(stage).name_hint).endswith("_groups"):
        sch.reorder(*reduced, spatial[-1])
        vector(sch, spatial[-1], core)
    if reduced:
        sch.decompose_reduction(stage, reduced[0])


def vector(sch: Schedule, last: LoopRV, core: Core) -> None:
    """Vectorize a loop of whole vectors; what has none is left to LLVM."""
    lanes = power_of_two_divisor(int(sch.get(last).extent), 2 * core.lanes)
    if lanes in (2 * core.lanes, *core.vectors()):
        _, vector = sch.split(last, [None, lanes])
        sch.vectorize(vector)
    else:
        without_borders(sch, last)
