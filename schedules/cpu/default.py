"""Any kernel on a CPU: inline, split over the cores, vectorize."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from tvm import te, topi
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV
from tvm.tirx import IterVar

from tvmlcnn import ops
from tvmlcnn.ops.levels import levels_of
from tvmlcnn.targets import Core, Cpu

from ..decisions import Decisions
from ..epilogue import inner_loops
from ..generated import tuned
from ..inlining import inline_elementwise, is_reduction
from ..layer import Concatenation, Convolution, Layer, Reduction
from ..own_loops import has_own_loops
from ..rule import Definition, Plan, Rule
from .blocks import split_over_cores_and_lanes
from .movement import transpose
from .tiles import power_of_two_divisor

# Vectors of outputs that are reduced side by side, so that comparisons overlap.
_ABREAST = 4


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan:
    """Take every layer, and define those that TVM has no definition of."""
    definition = None
    if isinstance(layer, Convolution):
        definition = partial(_convolution, layer)
    elif isinstance(layer, Concatenation):
        definition = partial(Definition, _concatenate, name="concatenate", takes_epilogue=False)
    elif isinstance(layer, Reduction) and _is_long_sum(layer):
        options: dict[str, Any] = {
            "lead": layer.lead,
            "inner": layer.inner,
            "kind": layer.kind,
            "keep": layer.keep,
        }
        definition = partial(Definition, partial(ops.reduce_columns, **options), name="reduction")
    return Plan(DEFAULT.name, layer.element, "", None, definition=definition)


def _is_long_sum(layer: Reduction) -> bool:
    """Tell whether a sum wants levels, which TVM's definition has not."""
    steps = math.prod(layer.data[layer.lead : len(layer.data) - layer.inner])
    return layer.kind in ("sum", "mean") and len(levels_of(steps)) > 1


def _convolution(layer: Convolution) -> Definition:
    plain = not (len(layer.reads) or layer.prologue or layer.channels_first)
    assert plain, "ungrouped convolutions have whole vectors of channels, which another rule takes"
    window = layer.window
    define = partial(
        topi.nn.group_conv2d_nhwc,
        stride=window.strides,
        padding=window.padding,
        dilation=window.dilation,
        groups=layer.groups,
    )
    return Definition(define, [layer.weight])


def _concatenate(*tensors: te.Tensor) -> te.Tensor:
    return ops.concatenate(list(tensors))


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Schedule any function of spatial and reduction blocks.

    Element-wise blocks are inlined into their consumers; what feeds a reduction is stored, since
    it would be computed again for each step. A nest then has its outer spatial loops fused into
    one parallel loop and its innermost spatial loop vectorized. A reduction runs inside its
    output's vector loop nest, with the accumulators in registers: reducing innermost would cost a
    horizontal sum for each output.

    Where tuning found a better schedule that one is taken.
    """
    if has_own_loops(sch):
        return sch
    found = tuned(sch, decisions)
    if found is not None:
        return found
    core = device.core(plan.element)
    inline_elementwise(sch)
    blocks = sch.get_child_blocks(sch.get_sblock("root"))
    reductions = [block for block in blocks if is_reduction(sch, block)]
    for block in [block for block in reductions if len(sch.get(block).writes) > 1]:
        reductions.remove(block)
        blocks.remove(block)
        _reduce_several(sch, block, core)
    anchors = {_name(sch, block): _anchor(sch, block) for block in reductions}
    anchored = {_name(sch, anchor) for anchor in anchors.values()}
    for block in blocks:
        if _name(sch, block) not in {*anchors, *anchored} and not transpose(sch, block):
            split_over_cores_and_lanes(sch, block, core)
    for block in reductions:
        _reduce_in_registers(sch, block, anchors[_name(sch, block)], core)
    return sch


def _reduce_several(sch: Schedule, block: SBlockRV, core: Core) -> None:
    """Reduce to several outputs, as an extreme and its place; each core has its share of them.

    Vectors of outputs are reduced abreast where they lie so in the data.
    """
    spatial, reduced = inner_loops(sch, block)
    if not spatial:
        return
    *_, innermost = sch.get(block).reads[0].region
    steps = [v.var for v in sch.get(block).iter_vars if v.iter_type == IterVar.CommReduce]
    lanes = power_of_two_divisor(int(sch.get(spatial[-1]).extent), _ABREAST * core.lanes)
    if len(reduced) == 1 and lanes > 1 and not innermost.min.same_as(steps[0]):
        rest, vector = sch.split(spatial.pop(), [None, lanes])
        sch.reorder(rest, *reduced, vector)
        sch.vectorize(vector)
        spatial.append(rest)
        sch.parallel(sch.fuse(*spatial))
        sch.decompose_reduction(block, reduced[0])
    else:
        sch.parallel(sch.fuse(*spatial))


def _anchor(sch: Schedule, reduction: SBlockRV) -> SBlockRV:
    """Return the spatial block whose loops the reduction is computed in."""
    consumers = sch.get_consumers(reduction)
    if len(consumers) == 1 and not is_reduction(sch, consumers[0]):
        shape = [extent for kind, extent in _loops(sch, reduction) if kind == IterVar.DataPar]
        same_loops = [extent for _, extent in _loops(sch, consumers[0])] == shape
        if same_loops and len(sch.get_producers(consumers[0])) == 1:
            return consumers[0]
    return sch.cache_write(reduction, 0, "global")


def _reduce_in_registers(sch: Schedule, reduction: SBlockRV, anchor: SBlockRV, core: Core) -> None:
    """Compute the reduction a vector of outputs at a time, inside the loops of its anchor."""
    at = split_over_cores_and_lanes(sch, anchor, core)
    if at is None:
        return
    sch.compute_at(reduction, at, preserve_unit_loops=True)
    spatial, reduced = inner_loops(sch, reduction)
    if not reduced:
        return
    sch.reorder(*reduced, *spatial)
    if spatial:
        sch.vectorize(spatial[-1])
    sch.decompose_reduction(reduction, reduced[0])


def _loops(sch: Schedule, block: SBlockRV) -> list[tuple[int, int]]:
    """Return kind and extent of each iterator of the block."""
    return [(v.iter_type, int(v.dom.extent)) for v in sch.get(block).iter_vars]


def _name(sch: Schedule, block: SBlockRV) -> str:
    return str(sch.get(block).name_hint)


DEFAULT = Rule("default", 1, type(None), _plan, _schedule)
