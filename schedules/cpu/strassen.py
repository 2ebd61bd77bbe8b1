"""Pointwise convolutions by Strassen's algorithm."""

from __future__ import annotations

import math
from functools import partial

import tvm_ffi
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.sym import Analyzer
from tvm.tirx import FloorDiv, FloorMod, IndexMap

from tvmlcnn import ops
from tvmlcnn.ops import Halving
from tvmlcnn.targets import FLOAT32, Core, Cpu

from ..channel_places import first_of_neighbours, in_one_plane
from ..decisions import Decisions
from ..epilogue import flatten_pixels, inline_epilogue
from ..layer import Convolution, Layer
from ..rule import Definition, Plan, Rule
from .accumulate import unroll_vectors
from .blocks import spread
from .products_of_points import schedule_points
from .strassen_halving import strassen_choice
from .tiles import power_of_two_divisor


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take pointwise convolutions of numbers of 32 bits.

    Products with matrices are none of it: in a transformer's rows a few channels are a thousand
    times as large as the others, whose sums would have their errors.
    """
    if not isinstance(layer, Convolution) or layer.groups > 1 or layer.channels_first:
        return None
    pointwise = layer.weight.shape[:2] == (1, 1) and not any(layer.window.padding)
    if layer.element != FLOAT32 or not pointwise:
        return None
    weight, core = layer.weight[0, 0], device.core(layer.element)
    inner, outer = weight.shape
    first, lanes = first_of_neighbours(layer), power_of_two_divisor(inner // 2, core.elements)
    if first is None or not in_one_plane(first, inner, layer.data[3], lanes):
        return None
    rows = math.prod(layer.shape[:3])
    choice = strassen_choice(rows, inner, outer, device)
    if choice is None:
        return None
    halving = decisions.choose("halving", choice.halvings)

    def definition() -> Definition:
        define = partial(
            ops.strassen,
            shape=layer.shape,
            window=layer.window,
            halving=halving,
            first=first,
            prologue=ops.chain(layer.prologue) if layer.prologue else None,
            steps=core.steps_of_a_load(inner // 2),
        )
        return Definition(define, [ops.pack(ops.combine_weights(weight), halving.registers)])

    return Plan(STRASSEN.name, layer.element, layer.workload, halving, choice.pays, definition)


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Take a block of pairs of rows through all steps while it is in the caches.

    For each block of pairs what they combine to is stored; for each block of channels come the
    seven products and then, from the cache, their sums with the epilogue. Combinations and sums
    are made of one pair and one vector of channels at a time, fully unrolled.
    """
    halving, core = plan.layout, device.core(plan.element)
    main = sch.get_sblock("strassen")
    at = _output(sch, halving, core)
    schedule_points(sch, main, 1, halving.registers, at, _input, core)
    return sch


def _output(sch: Schedule, halving: Halving, core: Core) -> tuple[LoopRV, LoopRV]:
    """Sum up a pair of rows' products; return the loops over blocks of pairs and of channels."""
    tile = halving.registers
    sums = sch.get_sblock("output")
    output = inline_epilogue(sch, sums)
    spread(sch, output, core)
    flatten_pixels(sch, output)
    _halve_channels(sch, output)
    row, half, channel = sch.get_loops(output)
    blocks, near, second = sch.split(row, [None, halving.block, 2])
    channels, vectors, lanes = sch.split(channel, [None, tile.vectors, tile.lanes])
    sch.reorder(blocks, channels, near, vectors, second, half, lanes)
    unroll_vectors(sch, second, half, lanes)
    sch.compute_at(sums, vectors, preserve_unit_loops=True)
    second, half, lanes = sch.get_loops(sums)[-3:]
    unroll_vectors(sch, second, half, lanes)
    return blocks, channels


def _halve_channels(sch: Schedule, output: SBlockRV) -> None:
    """Iterate over halves of the channels, with indices that say so: TVM bounds no remainder."""
    channel = sch.get(output).iter_vars[-1]
    half, dtype = int(channel.dom.extent) // 2, channel.var.ty.dtype
    halves = IndexMap.from_func(
        lambda row, c: (row, c // half, c % half), ndim=2, index_dtype=dtype
    )
    sch.transform_block_layout(output, halves)
    block, analyzer = sch.get(output), Analyzer()
    for axis in block.iter_vars:
        analyzer.bind(axis.var, axis.dom)
    rules = [(operator, analyzer.simplify) for operator in (FloorDiv, FloorMod)]
    simple = tvm_ffi.structural_map(block, rules)
    sch.state.replace(sch.get_sref(output), simple, {block: simple})


def _input(sch: Schedule, combined: SBlockRV, core: Core) -> LoopRV:
    """Combine one pair of rows after the other; return the loop over the pairs."""
    points, pairs, channel = sch.get_loops(combined)[-3:]
    wide = power_of_two_divisor(int(sch.get(channel).extent), core.elements)
    vectors, lanes = sch.split(channel, [None, wide])
    sch.reorder(pairs, vectors, points, lanes)
    unroll_vectors(sch, points, lanes)
    return pairs


STRASSEN = Rule("strassen", 1, Halving, _plan, _schedule)
