"""What rules for CPUs do alike: what is left of an epilogue, and blocks that move data."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.targets import CODES, FLOAT32, INT8, Core

from ..epilogue import left_over
from .padding import without_borders
from .tiles import power_of_two_divisor


def spread(sch: Schedule, output: SBlockRV, core: Core) -> None:
    """Schedule what follows the output of the main block over a larger shape, if anything."""
    if (rest := left_over(sch, output)) is not None:
        split_over_cores_and_lanes(sch, rest, core)


def vectorize(sch: Schedule, block: SBlockRV, core: Core) -> None:
    """Vectorize the innermost loop of a block that moves data."""
    last = sch.get_loops(block)[-1]
    lanes = power_of_two_divisor(int(sch.get(last).extent), core.lanes)
    if lanes not in core.vectors():
        # Borders apart, LLVM finds the vectors itself.
        without_borders(sch, last)
        return
    _, vector = sch.split(last, [None, lanes])
    sch.vectorize(vector)


def vectorize_copy(sch: Schedule, block: SBlockRV, core: Core) -> None:
    """Run a block that only moves data with vectors, split over the cores.

    The borders of a padded map apart, its rows are moved whole.
    """
    *outer, column = sch.get_loops(block)[:-1]
    vectorize(sch, block, core)
    without_borders(sch, column)
    sch.parallel(sch.fuse(*outer) if outer else column)


def split_over_cores_and_lanes(sch: Schedule, block: SBlockRV, core: Core) -> LoopRV | None:
    """Parallelize the outer loops, vectorize the innermost; return the loop around the vector."""
    loops = sch.get_loops(block)
    if not loops:
        return None
    *outer, last = loops
    lanes = power_of_two_divisor(int(sch.get(last).extent), _abreast(sch, block, core))
    if not outer and lanes < core.lanes < int(sch.get(last).extent):
        # LLVM makes vectors of a whole line, and knows what to do with its end.
        share, rest = sch.split(last, [core.count, None])
        without_borders(sch, rest)
        sch.parallel(share)
        return rest
    rest, vector = sch.split(last, [None, lanes])
    sch.vectorize(vector)
    if outer:
        sch.parallel(sch.fuse(*outer))
    else:
        sch.parallel(rest)
    return rest


def _abreast(sch: Schedule, block: SBlockRV, core: Core) -> int:
    """Return how many elements are computed side by side: codes a vector of them, where they can.

    Where instructions are few to issue, that is: the others are as many as two vectors of numbers.
    """
    codes = str(sch.get(block).writes[0].source.ty.dtype) in CODES
    vectors = FLOAT32.bytes // INT8.bytes if codes and core.costs.issues else 2
    return vectors * core.lanes
