"""Blocks that become a part of what reads them."""

from __future__ import annotations

from tvm.s_tir import Schedule, ScheduleError
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx import IterVar


def inline_elementwise(sch: Schedule) -> None:
    """Inline each spatial block that only spatial blocks read.

    What feeds a reduction is stored, since it would be computed again for each step.
    """
    for block in sch.get_child_blocks(sch.get_sblock("root")):
        consumers = sch.get_consumers(block)
        if (
            consumers
            and not is_reduction(sch, block)
            and not any(is_reduction(sch, consumer) for consumer in consumers)
        ):
            try:
                sch.compute_inline(block)
            except ScheduleError:  # an opaque or partial write: the block stays a stage
                continue


def is_reduction(sch: Schedule, block: SBlockRV) -> bool:
    """Tell whether a block reduces."""
    return any(v.iter_type == IterVar.CommReduce for v in sch.get(block).iter_vars)
