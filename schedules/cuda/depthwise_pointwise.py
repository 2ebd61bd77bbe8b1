"""A depthwise convolution and the pointwise one that reads it, on a GPU."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV

from tvmlcnn import ops
from tvmlcnn.targets import Gpu

from ..decisions import Decisions
from ..initial_sums import begin_with_bias
from ..layer import DepthwisePointwise, Layer
from ..rule import Definition, Plan, Rule
from .block_work import BlockWork
from .blocks import LANES
from .depthwise import cycles_of, multiply, tiles
from .gemm_kernel import gemm_kernel
from .gemm_tile import GemmTile
from .gemm_tiles import copied_tiles, gemm_tiles, work_with
from .threads import LAUNCH, load_beside, move_vectors, unroll

# Pixels of a row whose windows a thread multiplies at a time.
_PIXELS = (1, 2, 4, 7)
# Taps of a kernel whose window is loaded whole, and of one that is taken: all are unrolled.
_WHOLE, _MOST_TAPS = 9, 25
# Instructions of a load with its predicate; of a vector of sums beside its products, and of a
# thread's round, for where it is.
_LOAD, _OF_SUMS, _ROUND = 3, 6, 40
# What one kernel is to gain, so that errors of these estimates do not decide.
_MARGIN = 1.1


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : GemmTile
    pixels : int
        Neighbours whose windows a thread multiplies at a time.
    whole : bool
        Whether it loads the whole window first, not one row of the kernel at a time.
    registers : int
        Of a thread.
    stores_vectors : bool
        Whether all vectors of channels are whole.
    """

    tile: GemmTile
    pixels: int
    whole: bool
    registers: int
    stores_vectors: bool


def _plan(layer: Layer, device: Gpu, decisions: Decisions) -> Plan | None:
    """Take the two where they are faster in one kernel, of numbers that sums are of too."""
    if not isinstance(layer, DepthwisePointwise):
        return None
    if not device.multiplies_by_lanes(layer.element):
        return None  # tensor cores multiply what a kernel of its own brings them
    options = tiles_of_pairs(layer, device)
    if not options:
        return None
    tile = decisions.choose("tile", list(options))
    pixels = decisions.choose("pixels", pixels_of(tile, layer))
    inner, channels = layer.weight.shape

    def definition() -> Definition:
        define = partial(
            ops.depthwise_pointwise,
            shape=layer.shape,
            window=layer.window,
            rows=tile.block_rows,
            pixels=pixels,
            epilogue=layer.between,
        )
        more = (0, tile.filled(inner) - inner)
        packed = ops.pack(np.pad(layer.weight, (more, (0, 0))), ops.Tile(1, 1, tile.block_channels))
        cut = packed.reshape(len(packed), tile.cut, -1, tile.block_channels)
        kernel = np.pad(layer.kernel, ((0, 0), (0, 0), more))
        # Any number would do that the formula makes a number of: it is multiplied with zero.
        parameters = [np.pad(each, more, mode="edge") for each in layer.parameters]
        return Definition(define, [kernel, cut, *parameters])

    whole = math.prod(layer.kernel.shape[:2]) <= _WHOLE
    registers = _work(tile, pixels, layer).registers
    return Plan(
        DEPTHWISE_POINTWISE.name,
        layer.element,
        layer.workload,
        Layout(tile, pixels, whole, registers, channels % LANES == 0),
        pays=options[tile] * _MARGIN < _apart(layer, device),
        definition=definition,
    )


def tiles_of_pairs(layer: DepthwisePointwise, device: Gpu) -> dict[GemmTile, float]:
    """Return tiles of the product, with their estimated cycles, the best first."""
    inner, channels = layer.weight.shape
    if inner % LANES or layer.data[3] % LANES or math.prod(layer.kernel.shape[:2]) > _MOST_TAPS:
        return {}

    def work(tile: GemmTile) -> BlockWork | None:
        if tile.loaded == 1:
            return None
        fitting = pixels_of(tile, layer)
        return _work(tile, fitting[0], layer) if fitting else None

    return gemm_tiles(math.prod(layer.shape[:3]), channels, inner, 1, device, work)


def pixels_of(tile: GemmTile, layer: DepthwisePointwise) -> list[int]:
    """Return how many pixels a thread may multiply at a time, best first.

    All threads have as many rounds: TVM would compute windows outside of the panel for the others.
    """
    vectors = tile.shares * tile.block_rows * tile.steps // LANES
    fitting = [
        pixels
        for pixels in _PIXELS
        if layer.shape[2] % pixels == tile.block_rows % pixels == 0
        and vectors % (pixels * tile.threads) == 0
    ]
    return sorted(fitting, key=lambda pixels: _vector(pixels, layer))


def _window(pixels: int, layer: DepthwisePointwise) -> tuple[int, int]:
    """Return the rows and columns that the windows of so many neighbours have together."""
    rows, columns = (
        (n - 1) * step + (taps - 1) * spread + 1
        for n, taps, step, spread in zip(
            (1, pixels),
            layer.kernel.shape[:2],
            layer.window.strides,
            layer.window.dilation,
            strict=True,
        )
    )
    return rows, columns


def _vector(pixels: int, layer: DepthwisePointwise) -> float:
    """Return the instructions for a vector of channels of a pixel."""
    down, across = layer.kernel.shape[:2]
    loads = down * _window(pixels, layer)[1] + down * across
    steps = len(layer.between.steps)
    return (_LOAD * loads + _ROUND) / pixels + (down * across + steps) * LANES + _OF_SUMS


def _work(tile: GemmTile, pixels: int, layer: DepthwisePointwise) -> BlockWork:
    down, across = layer.kernel.shape[:2]
    _, columns = _window(pixels, layer)
    rows, taps = (down, down * across) if down * across <= _WHOLE else (1, across)
    # A whole window passes through row by row, whatever the order of the loads.
    kept = (min(rows, 2) * columns + taps + pixels) * LANES
    read = math.prod(layer.data[1:3]) / math.prod(layer.shape[1:3])
    return work_with(tile, layer.weight.shape[0], _vector(pixels, layer) / LANES, kept, read)


def _apart(layer: DepthwisePointwise, device: Gpu) -> float:
    """Return the cycles of two kernels."""
    depthwise = layer.depthwise
    inner, channels = layer.weight.shape
    own = copied_tiles(math.prod(layer.shape[:3]), channels, inner, 1, inner, device)
    return (
        next(iter(own.values()))
        + cycles_of(tiles(depthwise, device)[0], depthwise, device)
        + LAUNCH
    )


def _schedule(sch: Schedule, plan: Plan, device: Gpu, decisions: Decisions) -> Schedule:
    """Have the threads of a block make a panel of windows where another GEMM copies it."""
    layout = plan.layout
    return gemm_kernel(
        sch,
        layout.tile,
        device,
        partial(_make_panel, layout=layout),
        loaded=layout.tile.loaded,
        vectors=layout.stores_vectors,
        resident=layout.tile.resident(device, layout.registers),
    )


def _make_panel(sch: Schedule, chunk: LoopRV, layout: Layout) -> None:
    panel, between, sums = (sch.get_sblock(name) for name in ("panel", "between", "depthwise"))
    begin_with_bias(sch, sums)
    sch.set_scope(panel, 0, "shared")
    sch.compute_at(panel, chunk, preserve_unit_loops=True)
    *_, share, row, step = sch.get_loops(panel)
    group, pixel = sch.split(row, [None, layout.pixels])
    vector, lanes = sch.split(step, [None, LANES])
    sch.reorder(share, group, vector, pixel, lanes)
    rounds, thread = sch.split(sch.fuse(share, group, vector), [None, layout.tile.threads])
    sch.bind(thread, "threadIdx.x")
    sch.vectorize(lanes)
    unroll(sch, rounds, pixel)
    around = len(sch.get_loops(panel)) - 2
    for block in (between, sums):
        sch.set_scope(block, 0, "local")
        sch.compute_at(block, thread, preserve_unit_loops=True)
    unroll(sch, *sch.get_loops(between)[around:])
    begun = sch.decompose_reduction(
        sums, multiply(sch, sums, thread, LANES, layout.whole, unrolled=True)
    )
    move_vectors(sch, begun, LANES, around)
    load_beside(sch, between, thread, LANES)


DEPTHWISE_POINTWISE = Rule("depthwise_pointwise", 1, Layout, _plan, _schedule)
