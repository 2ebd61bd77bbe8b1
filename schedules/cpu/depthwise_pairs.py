"""Depthwise convolutions of codes, several of whose products are added in 16 bits."""

from __future__ import annotations

from functools import partial

from tvm.s_tir import Schedule

from tvmlcnn import ops
from tvmlcnn.ops import Tile
from tvmlcnn.targets import CODES, Core, Cpu

from ..decisions import Decisions
from ..depthwise_definition import by_plane
from ..epilogue import inline_epilogue
from ..layer import Convolution, Layer
from ..rule import Definition, Plan, Rule
from .accumulate import accumulate, unroll
from .blocks import spread
from .depthwise import Layout, depthwise_strips
from .padding import narrowed, without_borders
from .runs import run_of_taps
from .tiles import ranked

# Instructions for eight sums: that multiply a code and a weight, that add products to sums of 32
# bits, and that store them as codes.
_PRODUCT, _ADD, _STORE = 1, 2, 10
# Of a tile, for what its addresses take.
_TILE = 8
# Registers of codes that LLVM loads ahead where a tile is more than half of a row, whose borders it
# knows: read off the code for 5x5 kernels on maps of 7x7.
_AHEAD = 4
# A run's taps may be of two rows: the whole kernel is unrolled. As many as one of 5x5 has.
_MOST_TAPS = 25


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take depthwise convolutions of codes where several products fit 16 bits."""
    if not isinstance(layer, Convolution) or not layer.is_depthwise:
        return None
    core = device.core(layer.element)
    rows, columns = kernel = layer.weight.shape[:2]
    if layer.element.name not in CODES or not core.arithmetic.multiply_add.paired:
        return None
    run = run_of_taps(layer.weight.reshape(rows * columns, -1))
    if not run or rows * columns > _MOST_TAPS:
        return None
    tiles = _tiles(layer, run, core)
    if not tiles:
        return None
    tile, channels = decisions.choose("tile", tiles), layer.shape[3]
    layout = Layout(tile, layer.shape[2], channels, kernel)
    plane, channel = divmod(int(layer.reads[0]) if len(layer.reads) else 0, layer.data[3])
    define = partial(
        ops.depthwise_pairs,
        kernel=kernel,
        run=run,
        window=layer.window,
        batch=layer.shape[0],
        first=(plane * layer.shape[0], channel),
        zero=layer.zero,
    )
    weight = by_plane(layer.weight[:, :, 0], channels)
    return Plan(
        DEPTHWISE_PAIRS.name,
        layer.element,
        layer.workload,
        layout,
        definition=lambda: Definition(
            define, [*ops.pack_depthwise_pairs(weight, tile.lanes, layer.window, layer.zero)]
        ),
    )


def _tiles(layer: Convolution, run: int, core: Core) -> list[Tile]:
    """Return tiles for rows of pixels, those of the fewest instructions first.

    A vector has as many codes as a register, or half of them. Registers hold the sums, the codes
    of a row of the kernel, two vectors of products and two weights.
    """
    *_, width, channels = layer.shape
    rows, columns = layer.weight.shape[:2]
    stride, apart = layer.window.strides[1], layer.window.dilation[1]
    taps = rows * columns

    def read(tile: Tile) -> int:
        """Return how many columns of the map a tile reads."""
        return len({p * stride + c * apart for p in range(tile.pixels) for c in range(columns)})

    def registers(tile: Tile) -> int:
        eights, ahead = tile.lanes // 8, _AHEAD if 2 * tile.pixels > width else 0
        return 2 * eights * tile.pixels + read(tile) + 2 * eights + 2 + ahead

    def instructions(tile: Tile) -> float:
        """Return how many are executed for a sum that is wanted."""
        eights = tile.lanes // 8 * tile.pixels
        products = eights * (taps * _PRODUCT + -(-taps // run) * _ADD + _STORE)
        tiles = -(-width // tile.pixels)
        return tiles * (rows * read(tile) + taps + products + _TILE) / (width * tile.lanes)

    return ranked(
        (
            tile
            for lanes in (core.elements, core.elements // 2)
            for pixels in range(1, min(width, core.vector_registers) + 1)
            if channels % lanes == 0
            and registers(tile := Tile(pixels, 1, lanes)) <= core.free_registers
        ),
        lambda tile: 1 / instructions(tile),
        lambda tile: tile.lanes,
    )


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Accumulate a few pixels of a row, a vector of channels each, over the unrolled kernel.

    Codes that lie beside the map are known where the kernel is unrolled, for the first and the
    last tile of a row alone; of rows that lie above or below it the weights are zero.
    """
    layout, core = plan.layout, device.core(plan.element)
    tile = layout.tile
    strip_vectors = decisions.choose("strip", depthwise_strips(layout, core))

    sch = Schedule(narrowed(sch.mod["main"]))
    main = sch.get_sblock("depthwise")
    output = inline_epilogue(sch, main)
    spread(sch, output, core)
    batch, height, width, channel = sch.get_loops(output)
    width, pixels = sch.split(width, [None, tile.pixels])
    strip, several, lanes = sch.split(channel, [None, strip_vectors, tile.lanes])
    sch.reorder(batch, strip, height, width, several, pixels, lanes)
    (_, row, near), (runs,) = accumulate(sch, main, several, tile.lanes, around=1)
    unroll(sch, row, near, runs, pixels)
    sch.vectorize(lanes)
    without_borders(sch, width)
    sch.parallel(sch.fuse(batch, strip, height))
    sch.decompose_reduction(main, runs)
    return sch


DEPTHWISE_PAIRS = Rule("depthwise_pairs", 1, Layout, _plan, _schedule)
