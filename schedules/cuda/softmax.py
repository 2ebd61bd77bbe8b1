"""Softmax of short rows and of columns on a GPU."""

from __future__ import annotations

from functools import partial

from tvm.s_tir import Schedule

from tvmlcnn import ops
from tvmlcnn.targets import Gpu

from ..decisions import Decisions
from ..epilogue import inner_loops
from ..layer import Layer, Softmax
from ..levels import is_level
from ..rule import Definition, Plan, Rule
from .threads import bind, block_sizes, total

# Elements of a row that one thread goes through: of more, the threads of a block share a row.
_SHORT = 64


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take columns, and rows that are too short for a block."""
    if not isinstance(layer, Softmax) or not device.computes(layer.element):
        return None
    _, size, inner = layer.data
    if inner == 1 and size > _SHORT:
        return None
    define = partial(ops.softmax, lanes=1, logarithm=layer.logarithm)
    definition = Definition(define, name="softmax", takes_epilogue=False)
    return Plan(SOFTMAX.name, layer.element, layer.workload, None, definition=lambda: definition)


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Go through a row or a column in each thread: for the maximum, the sum, and the results.

    Exponentials are computed twice, which takes less time than to store them.
    """
    *stages, last = sch.get_child_blocks(sch.get_sblock("root"))
    rows, k, inner = sch.get_loops(last)
    sch.reorder(rows, inner, k)
    threads = decisions.choose("threads", block_sizes(total(sch, [rows, inner])))
    thread = bind(sch, [rows, inner], threads)
    steps = []
    at = thread
    for stage in reversed(stages):
        if str(sch.get(stage).name_hint) == "power":
            sch.compute_inline(stage)
            continue
        sch.set_scope(stage, 0, "local")
        level = is_level(sch, stage)
        sch.compute_at(stage, at if level else thread, preserve_unit_loops=True)
        _, reduced = inner_loops(sch, stage)
        if reduced:
            steps.append((stage, reduced[0]))
            at = reduced[0]
    for stage, step in steps:
        sch.decompose_reduction(stage, step)
    return sch


SOFTMAX = Rule("softmax", 1, type(None), _plan, _schedule)
