"""Softmax: a row, or a vector of columns, at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule

from tvmlcnn import ops
from tvmlcnn.targets import Cpu

from ..decisions import Decisions
from ..epilogue import inner_loops
from ..layer import Layer, Softmax
from ..rule import Definition, Plan, Rule
from .padding import without_borders
from .tiles import power_of_two_divisor


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    lanes : int
        Of a vector.
    columns : bool
        Whether the lanes are columns, each with a sum of its own.
    logarithm : bool
    """

    lanes: int
    columns: bool
    logarithm: bool


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take every softmax: short rows by shorter vectors, columns by those that divide them."""
    if not isinstance(layer, Softmax):
        return None
    _, size, inner = layer.data
    lanes = device.core(layer.element).lanes
    if inner > 1:
        lanes = power_of_two_divisor(inner, 2 * lanes)
    while inner == 1 and lanes > size:
        lanes //= 2
    layout = Layout(lanes, inner > 1, layer.logarithm)
    define = partial(ops.softmax, lanes=lanes, logarithm=layer.logarithm)
    definition = Definition(define, name="softmax", takes_epilogue=False)
    return Plan(SOFTMAX.name, layer.element, "", layout, definition=lambda: definition)


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Keep what a row, or a vector of columns, needs in the first cache.

    The exponentials are stored, by whole vectors; only the last stage, which multiplies, has a part
    of a vector at the end of a row.
    """
    layout = plan.layout
    *stages, last = sch.get_child_blocks(sch.get_sblock("root"))
    rows, k, inner = sch.get_loops(last)
    if layout.columns:
        blocks, lane = sch.split(inner, [None, layout.lanes])
        sch.reorder(blocks, k, lane)
        sch.vectorize(lane)
        at = sch.fuse(rows, blocks)
    else:
        at = rows
        blocks, lane = sch.split(k, [None, layout.lanes])
        without_borders(sch, blocks)
        sch.vectorize(lane)
    sch.parallel(at)
    for block in reversed(stages):
        sch.compute_at(block, at, preserve_unit_loops=True)
        spatial, reduced = inner_loops(sch, block)
        *outer, lane = spatial
        if layout.columns or outer:
            sch.reorder(*outer, *reduced, lane)
            sch.vectorize(lane)
        if reduced:
            sch.decompose_reduction(block, reduced[0])
    return sch


SOFTMAX = Rule("softmax", 1, Layout, _plan, _schedule)
