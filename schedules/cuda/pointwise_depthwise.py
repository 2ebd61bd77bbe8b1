"""A pointwise convolution and the depthwise one that reads it, on a GPU."""

from __future__ import annotations

from functools import partial
from typing import Any

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV

from tvmlcnn import ops
from tvmlcnn.targets import Gpu

from ..decisions import Decisions
from ..epilogue import inline_epilogue, inner_loops
from ..initial_sums import begin_with_bias
from ..layer import Layer, PointwiseDepthwise
from ..rule import SPREAD, Definition, Plan, Rule
from ..whole_pieces import reading_whole_pieces
from .blocks import LANES, finish
from .depthwise import multiply
from .map_bands import Bands, map_bands, pays
from .scattered import store_where_computed
from .threads import load_beside, move_vectors, unroll

_MAIN, _PRODUCT, _BETWEEN = "pointwise_depthwise", "pointwise", "between"
# Loops around what a thread does: blocks, rounds down and across, and threads.
_THREADS = 4
# Multiply-adds of a loop's body that are worth no further one: 4 kB of machine code.
_BODY = 256


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take the two where they are faster in one kernel."""
    if not isinstance(layer, PointwiseDepthwise) or not device.computes(layer.element):
        return None
    options = map_bands(layer, device)
    if not options:
        return None
    bands = decisions.choose("bands", options)

    def definition() -> Definition:
        define = partial(
            ops.pointwise_depthwise_windows,
            shape=layer.shape,
            window=layer.window,
            banding=bands.banding,
            epilogue=layer.between,
            steps=bands.steps,
        )
        packed = ops.pack(layer.weight, bands.banding.pointwise)
        return Definition(define, [packed, layer.kernel, *layer.parameters])

    return Plan(
        POINTWISE_DEPTHWISE.name,
        layer.element,
        layer.workload,
        bands,
        pays=pays(bands, layer, device),
        definition=definition,
    )


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Take a band of rows, some channels of it, through both convolutions in shared memory.

    Each thread first sums up tiles of pixels and a vector of channels over the input's channels,
    then multiplies windows of what all threads of the block have computed.
    """
    bands = plan.layout
    banding, tile = bands.banding, bands.banding.depthwise
    sch = Schedule(reading_whole_pieces(sch.mod["main"], "pad", _BETWEEN))
    main = sch.get_sblock(_MAIN)
    begin_with_bias(sch, sch.get_sblock(_PRODUCT))
    output = inline_epilogue(sch, main, "local")
    finish(sch, output, device)
    sch.set_scope(main, 0, "local")
    store = sch.cache_write(output, 0, "local")
    scattered = store_where_computed(sch, output, store, main)

    def by_band(n: Any, h: Any, w: Any, c: Any) -> tuple[Any, ...]:
        return n, h // banding.rows, h % banding.rows, w, c

    # So that TVM sees which of the sums a thread reads.
    sch.transform_layout(output, ("write", 0), by_band)
    sch.transform_block_layout(store, by_band)
    batch, band, height, width, channel = sch.get_loops(store)
    down, near, rows = sch.split(height, [None, bands.down, bands.rows])
    across, beside, columns = sch.split(width, [None, bands.across, tile.pixels])
    block, vectors, lanes = sch.split(channel, [None, banding.channels // LANES, LANES])
    sch.reorder(
        *(batch, band, block), *(down, across), *(near, beside, vectors), rows, columns, lanes
    )
    place = sch.fuse(batch, band, block)
    sch.bind(place, "blockIdx.x")
    thread = sch.fuse(near, beside, vectors)
    sch.bind(thread, "threadIdx.x")
    sch.compute_at(output, thread, preserve_unit_loops=True)
    unroll(sch, *sch.get_loops(output)[_THREADS:])
    sch.compute_at(main, thread, preserve_unit_loops=True)
    sums = multiply(sch, main, thread, LANES, bands.whole, True)
    load_beside(sch, output, thread, LANES)
    (sch.unroll if scattered else sch.vectorize)(lanes)
    unroll(sch, rows, columns)
    _pointwise(sch, place, bands)
    begun = sch.decompose_reduction(main, sums)
    move_vectors(sch, begun, LANES, _THREADS)
    sch.annotate(sch.get_sblock("root"), SPREAD, True)
    return sch


def _pointwise(sch: Schedule, place: LoopRV, bands: Bands) -> None:
    """Sum up tiles of a block's piece over the input's channels, and share them."""
    product, between = sch.get_sblock(_PRODUCT), sch.get_sblock(_BETWEEN)
    values = sch.get_sblock("values")
    write = sch.cache_write(between, 0, "local")
    sch.set_scope(write, 0, "shared")
    sch.compute_at(write, place, preserve_unit_loops=True)
    *_, pixel, channel = sch.get_loops(write)
    groups, pixels = sch.split(pixel, [None, bands.pixels])
    vectors, lanes = sch.split(channel, [None, LANES])
    sch.reorder(groups, vectors, pixels, lanes)
    _, thread = sch.split(sch.fuse(groups, vectors), [None, bands.threads])
    sch.bind(thread, "threadIdx.x")
    sch.vectorize(lanes)
    unroll(sch, pixels)
    around = len(sch.get_loops(write)) - 2
    sch.compute_at(between, thread, preserve_unit_loops=True)
    unroll(sch, *sch.get_loops(between)[around:])
    sch.set_scope(product, 0, "local")
    sch.compute_at(product, thread, preserve_unit_loops=True)
    spatial, (step,) = inner_loops(sch, product)
    loads, steps = sch.split(step, [None, bands.steps])
    # What is unrolled shares its addresses: each is computed again for each round of the loop.
    count, body = int(sch.get(loads).extent), bands.pixels * LANES * bands.steps
    together = max(n for n in range(1, max(1, _BODY // body) + 1) if count % n == 0)
    rounds, loads = sch.split(loads, [None, together])
    sch.reorder(rounds, loads, steps, *spatial)
    sch.set_scope(values, 0, "local")
    sch.compute_at(values, loads, preserve_unit_loops=True)
    move_vectors(sch, values, bands.steps, around + 2)
    weights = sch.cache_read(product, 1, "local")
    sch.compute_at(weights, steps, preserve_unit_loops=True)
    move_vectors(sch, weights, LANES, around + 3)
    unroll(sch, loads, steps, *spatial)
    begun = sch.decompose_reduction(product, rounds)
    move_vectors(sch, begun, LANES, around)


POINTWISE_DEPTHWISE = Rule("pointwise_depthwise", 1, Bands, _plan, _schedule, permutes=True)
