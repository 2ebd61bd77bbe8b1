"""Functions whose loops were written out, and are no schedule's to change."""

from __future__ import annotations

from tvm.s_tir import Schedule


def has_own_loops(sch: Schedule) -> bool:
    """Tell whether a function is one block of loops, as TVM's scatter is, and not a nest of blocks.

    TVM calls the block around all others "root".
    """
    (function,) = sch.mod.functions.values()
    return str(function.body.block.name_hint) != "root"
