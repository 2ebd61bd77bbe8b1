"""Convolutions and products with weights as implicit GEMM on tensor cores."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from tvm import tirx
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn import ops
from tvmlcnn.targets import CODES, INT8, TF32, ElementType, Gpu

from ..decisions import Decisions
from ..epilogue import flatten_pixels, inline_epilogue
from ..layer import Layer
from ..rule import SPREAD, Definition, Plan, Rule
from .blocks import by_elements, finish, share_out
from .gemm import gemm_of
from .gemm_kernel import add_parts, bring_ahead
from .implicit_gemm import producers
from .lane_steps import QUARTERS
from .segment_products import segment_product
from .tensor_tiles import TensorTile, segment_of, tensor_tiles
from .threads import lanes_of, lanes_together, unroll
from .warp_products import ROWS, rounded_to_tf32


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : TensorTile
    rows, channels : int
        Of the product.
    lanes : int
        Steps of the reduction whose data lie together, of those that one load brings.
    copies_padding : bool
        Whether what lies around the maps is to be in memory.
    sums : str
        Their type.
    """

    tile: TensorTile
    rows: int
    channels: int
    lanes: int
    copies_padding: bool
    sums: str


def plan_of_segments(
    rule: str, layer: Layer, device: Gpu, decisions: Decisions, *, by_warps: bool
) -> Plan | None:
    """Take products with weights, and convolutions but depthwise ones, of what is multiplied so.

    Parameters
    ----------
    rule : str
        Whose plan it is.
    layer, device, decisions
    by_warps : bool
        Whether by tensor cores.
    """
    element = layer.element
    able = device.products_at_once(element) and device.multiplies_by_warps(element) == by_warps
    gemm = gemm_of(layer) if able else None
    if gemm is None:
        return None
    gathering, sums = gemm.gathering, gemm.sums or device.sums(element)
    tiles = tensor_tiles(
        gathering.rows,
        gemm.channels_of_group,
        gathering.steps,
        gathering.groups,
        element,
        device,
    )
    if not tiles:
        return None
    tile = decisions.choose("tile", tiles)
    lanes = lanes_together(gemm.lying_together, element.bytes)[0]
    apart = len(gemm.places) > 0

    def definition() -> Definition:
        define = partial(
            ops.tensor_product,
            gathering=replace(gathering, table=apart, load=lanes),
            rows=tile.block_rows,
            together=tile.rows,
            parts=tile.parts,
            sums=sums,
        )
        tables = [gemm.places] if apart else []
        return Definition(define, [_packed(gemm.weight, tile, element), *tables])

    layout = Layout(tile, gathering.rows, gemm.channels, lanes, gemm.copies_padding, sums)
    return Plan(rule, element, layer.workload, layout, definition=definition)


def _packed(weight: np.ndarray, tile: TensorTile, element: ElementType) -> np.ndarray:
    """Return weights, shape (steps, channels), as `tvmlcnn.ops.tensor_product` takes them."""
    length, (steps, _) = segment_of(element), weight.shape
    factors = rounded_to_tf32(weight) if element == TF32 else weight
    whole = np.pad(factors, ((0, -steps % length), (0, 0)))
    packed = ops.pack(whole, ops.Tile(1, 1, tile.block_channels), length)
    blocks, segments, channels, _ = packed.shape
    return packed.reshape(blocks, segments, channels // tile.wide, tile.wide, length)


def schedule_segments(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Sum up a tile of rows and channels in the registers of each warp.

    The threads of a block bring a chunk of either factor to shared memory, where a row's and a
    column's share of a segment are 64 bytes. Of these each of four lanes reads 16, so that eight
    lanes read 128 bytes one after the other: each bank of the memory once.
    """
    layout, tile = plan.layout, plan.layout.tile
    main = sch.get_sblock("product")
    gathered = [sch.get(block).name_hint for block in producers(sch, sch.get_sblock("panel"))]
    if not layout.copies_padding:
        for name in gathered:
            sch.compute_inline(sch.get_sblock(name))
    own = 2 * tile.tiles
    sums = "parts" if tile.parts > 1 else "product"
    fused = sch.copy()
    output = inline_epilogue(fused, fused.get_sblock(sums), "local")
    stored = int(fused.get(fused.get_loops(output)[-1]).extent)
    # A warp computes all of its rows and channels, and needs all of what it multiplies there. That
    # is not to be cut to what is stored.
    few = layout.rows <= (ROWS - 1) * tile.rows or layout.channels < tile.wide
    alone = tile.parts == 1 and (few or stored < layout.channels)
    if alone:
        writer = sch.cache_write(main, 0, "local")
        finish(sch, writer, device)
    else:
        by_vectors = tile.parts == 1 and tile.vectors > 1
        sch, output = _by_rows(fused, output, tile.wide if by_vectors else 0)
        main = sch.get_sblock("product")
    if layout.copies_padding:
        for name in gathered:
            by_elements(sch, sch.get_sblock(name), device)
    if tile.parts > 1:
        writer = sch.cache_write(main, 0, "local")
        add_parts(sch, sch.get_sblock(sums), output, lanes_of(math.gcd(stored, own))[0])
        finish(sch, output, device)
    if tile.parts > 1 or alone:
        *part, outer, row, vectors, channel = sch.get_loops(writer)
        rows, down, inner = sch.split(outer, [None, tile.warps_down, ROWS])
        block, across, vector = sch.split(vectors, [None, tile.warps_across, tile.vectors])
        quarter, lane = sch.split(channel, [QUARTERS, own])
    else:
        writer = output
        sch.set_scope(main, 0, "local")
        finish(sch, output, device)
        part = []
        row, *channel = sch.get_loops(writer)
        rows, down, inner, row = sch.split(row, [None, tile.warps_down, ROWS, tile.rows])
        if len(channel) > 1:
            block, across, vector = sch.split(channel[0], [None, tile.warps_across, tile.vectors])
            quarter, lane = sch.split(channel[1], [QUARTERS, own])
        else:
            block, across, vector, quarter, lane = sch.split(
                channel[0], [None, tile.warps_across, tile.vectors, QUARTERS, own]
            )
    sch.reorder(*part, rows, block, down, across, inner, quarter, row, vector, lane)
    thread = sch.fuse(down, across, inner, quarter)
    for index, axis in ((block, "x"), (rows, "y"), *zip(part, "z", strict=False)):
        sch.bind(index, f"blockIdx.{axis}")
    sch.bind(thread, "threadIdx.x")
    unroll(sch, row, vector)
    if tile.parts > 1 or alone or stored % own == 0:
        several, lane = sch.split(lane, [None, lanes_of(own)[0]])
        sch.unroll(several)
        sch.vectorize(lane)
    _accumulate(sch, main, thread, plan, device)
    sch.annotate(sch.get_sblock("root"), SPREAD, True)
    return sch


def _by_rows(sch: Schedule, output: SBlockRV, wide: int) -> tuple[Schedule, SBlockRV]:
    """Have the output's pixels be rows, and its channels whole vectors where they are to be.

    TVM is to see which of the sums are read.
    """
    name = sch.get(output).name_hint
    flatten_pixels(sch, output)
    if wide:
        sch.transform_block_layout(output, lambda row, c: (row, c // wide, c % wide))
    sch = Schedule(tirx.transform.StmtSimplify()(sch.mod))
    return sch, sch.get_sblock(name)


def _accumulate(sch: Schedule, main: SBlockRV, thread: LoopRV, plan: Plan, device: Gpu) -> None:
    """Sum up in a warp's registers, chunk by chunk of the reduction."""
    layout, tile = plan.layout, plan.layout.tile
    sch.compute_at(main, thread, preserve_unit_loops=True)
    *_, one, row, vector, channel, segment, step = sch.get_loops(main)
    chunk, segment = sch.split(segment, [None, tile.segments])
    if tile.vectors > 1:
        sch.reorder(one, chunk, segment, row, vector, channel, step)
    else:
        sch.reorder(one, vector, chunk, segment, row, channel, step)
    panel = sch.cache_read(main, 0, "shared")
    weight = sch.cache_read(main, 1, "shared")
    for factor in (weight, panel):
        sch.compute_at(factor, chunk, preserve_unit_loops=True)
    sch.compute_inline(sch.get_sblock("panel"))
    # Rows of neighbouring lanes are to lie together.
    sch.transform_layout(
        panel, ("write", 0), lambda g, s, lane, row, k: (g, s, lane // ROWS, row, lane % ROWS, k)
    )
    whole = lanes_together(segment_of(plan.element), plan.element.bytes)[0]
    depth = len(sch.get_loops(main)) - (5 if tile.vectors > 1 else 4)
    group, part, lane, own, step = sch.get_loops(panel)[depth:]
    warps, lane = sch.split(lane, [None, ROWS])
    sch.reorder(warps, own, lane)
    copied = [group, part, warps, own, lane, step]
    share_out(sch, copied, tile.threads, layout.lanes)
    share_out(sch, sch.get_loops(weight)[depth:], tile.threads, whole)
    begun = sch.decompose_reduction(main, chunk)
    unroll(sch, *sch.get_loops(begun)[depth - 1 :])
    sch.unroll(segment)
    name = segment_product(
        plan.element,
        INT8.name if plan.element.name in CODES else plan.element.stored,
        layout.sums,
        tile.rows,
        tile.vectors,
        tile.tiles,
        segment_of(plan.element),
        device.multiplies_by_warps(plan.element),
    )
    sch.tensorize(row, name)
    bring_ahead(sch, chunk, tile.buffers, device)


TENSOR_GEMM = Rule(
    "tensor_gemm",
    1,
    Layout,
    partial(plan_of_segments, "tensor_gemm", by_warps=True),
    schedule_segments,
)
