"""A pointwise convolution and the depthwise one that reads it."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn import ops
from tvmlcnn.ops import Banding, Tile
from tvmlcnn.targets import Core, Cpu

from ..decisions import Decisions
from ..epilogue import inline_epilogue, inner_loops
from ..initial_sums import begin_with_bias
from ..layer import Layer, PointwiseDepthwise
from ..rule import Definition, Plan, Rule
from ..whole_pieces import reading_whole_pieces
from .accumulate import accumulate, load_by_vectors, unroll
from .banding import banding, holds_weights
from .blocks import spread
from .depthwise import accumulate_taps
from .padding import skip_padding, without_borders

_MAIN, _PRODUCT, _BETWEEN = "pointwise_depthwise", "pointwise", "between"


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take the two where they are faster in one kernel."""
    if not isinstance(layer, PointwiseDepthwise):
        return None
    core = device.core(layer.element)
    longest = core.arithmetic.multiply_add.longest
    if longest and max(layer.weight.shape[0], math.prod(layer.kernel.shape[:2])) > longest:
        return None
    pieces = banding(layer, core)
    if pieces is None:
        return None

    def definition() -> Definition:
        packed = ops.pack(layer.weight, pieces.pointwise)
        wide = packed.shape[0] * packed.shape[2]
        parameters = [np.pad(array, (0, wide - len(array))) for array in layer.parameters]
        define = partial(
            ops.pointwise_depthwise,
            shape=layer.shape,
            window=layer.window,
            banding=pieces,
            epilogue=layer.between,
            steps=device.core(layer.element).steps_of_a_load(len(layer.weight)),
        )
        return Definition(define, [packed, layer.kernel, *parameters])

    name = POINTWISE_DEPTHWISE.name
    return Plan(name, layer.element, layer.workload, pieces, definition=definition)


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Take a band of rows, a block of channels each, through both convolutions while it is near.

    Both accumulate in registers as they do alone; what is between them is as large as the second
    cache takes. Another way is to keep only the rows that one row of output reads, but then a
    tile of pixels meets the weights of all channels, which do not fit the first cache. The first
    and the last row and tile of a row, which read the padding, have code of their own.
    """
    pieces, core = plan.layout, device.core(plan.element)
    tile = pieces.depthwise

    skipping = skip_padding(sch.mod["main"], _MAIN)
    sch = Schedule(reading_whole_pieces(skipping, _MAIN, _BETWEEN))
    main, product, between = (sch.get_sblock(name) for name in (_MAIN, _PRODUCT, _BETWEEN))
    wide = int(sch.get(between).iter_vars[-1].dom.extent)
    begin_with_bias(sch, product)
    output = inline_epilogue(sch, main)
    spread(sch, output, core)
    batch, height, width, channel = sch.get_loops(output)
    band, height = sch.split(height, [None, pieces.rows])
    block, channel = sch.split(channel, [None, min(wide, int(sch.get(channel).extent))])
    width, pixels = sch.split(width, [None, tile.pixels])
    several, vectors, lanes = sch.split(channel, [None, tile.vectors, tile.lanes])
    size = math.prod(int(v.dom.extent) for v in sch.get(main).iter_vars[-2:])
    # Weights that registers hold stay there for a whole row.
    inside = [several, width] if holds_weights(tile.vectors, size, core) else [width, several]
    sch.reorder(batch, band, block, height, *inside, pixels, vectors, lanes)
    taps = accumulate_taps(sch, main, inside[-1], tile, size <= core.costs.unrolled_taps)
    unroll(sch, pixels, vectors)
    sch.vectorize(lanes)
    without_borders(sch, height)
    without_borders(sch, width)
    sch.compute_at(between, block, preserve_unit_loops=True)
    reduced = _pointwise(sch, between, product, pieces.pointwise, core)
    sch.parallel(sch.fuse(batch, band, block))
    sch.decompose_reduction(product, reduced)
    sch.decompose_reduction(main, taps)
    return sch


def _pointwise(
    sch: Schedule, between: SBlockRV, product: SBlockRV, tile: Tile, core: Core
) -> LoopRV:
    """Accumulate tiles of a piece over the input's channels; return the loop of the sum."""
    (*_, pixel, channel), _ = inner_loops(sch, between)
    tiles, pixels = sch.split(pixel, [None, tile.pixels])
    blocks, vectors, lanes = sch.split(channel, [None, tile.vectors, tile.lanes])
    sch.reorder(blocks, tiles, pixels, vectors, lanes)
    unroll(sch, pixels, vectors)
    sch.vectorize(lanes)
    (*_, near_pixels), (reduced,) = accumulate(sch, product, tiles, tile.lanes, around=3)
    unroll(sch, near_pixels)
    steps = core.steps_of_a_load(int(sch.get(reduced).extent))
    return load_by_vectors(sch, product, reduced, steps) if steps > 1 else reduced


POINTWISE_DEPTHWISE = Rule("pointwise_depthwise", 1, Banding, _plan, _schedule)
