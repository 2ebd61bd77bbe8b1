"""Depthwise convolutions of codes, by instructions that multiply several at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn import ops
from tvmlcnn.ops import Tile
from tvmlcnn.targets import CODES, Core, Cpu

from ..decisions import Decisions
from ..depthwise_definition import by_plane
from ..epilogue import inline_epilogue, inner_loops
from ..layer import Convolution, Layer
from ..rule import Definition, Plan, Rule
from .accumulate import accumulate, unroll
from .blocks import spread
from .dot_products import tensorize
from .integers_as_numbers import as_numbers
from .padding import narrowed, without_borders
from .tiles import largest_divisor, power_of_two_divisor, ranked

# Instructions that make codes of a vector of sums, where so many become codes together: it is
# converted, scaled and rounded; then one alone is clipped and narrowed, two or four are packed.
_STORE = {1: 7, 2: 5, 4: 4.25}


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : Tile
    strip : int
        Channels that go over the map together.
    """

    tile: Tile
    strip: int


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take depthwise convolutions of codes whose channels fill vectors."""
    if not isinstance(layer, Convolution) or not layer.is_depthwise:
        return None
    core = device.core(layer.element)
    instruction, rows = core.arithmetic.multiply_add, layer.weight.shape[0]
    products, channels = instruction.products, layer.shape[3]
    if layer.element.name not in CODES or products == 1 or instruction.paired:
        return None
    if channels % core.lanes or rows == 1 or as_numbers(layer, core):
        return None
    tile = decisions.choose("tile", _tiles(layer, core))
    strip = decisions.choose("strip", _strips(layer, tile, core))
    plane, channel = divmod(int(layer.reads[0]) if len(layer.reads) else 0, layer.data[3])
    define = partial(
        ops.depthwise_products,
        rows=rows,
        pixels=tile.pixels,
        window=layer.window,
        batch=layer.shape[0],
        first=(plane * layer.shape[0], channel),
        zero=layer.zero,
        widened=instruction.widened,
    )
    weight = ops.pack_depthwise(by_plane(layer.weight[:, :, 0], channels), products)
    return Plan(
        DEPTHWISE_PRODUCTS.name,
        layer.element,
        layer.workload,
        Layout(tile, strip),
        definition=lambda: Definition(define, [weight]),
    )


def _tiles(layer: Convolution, core: Core) -> list[Tile]:
    """Return tiles for rows of pixels, best first.

    Registers hold the sums, a column, and the weights of the kernel, unless these are read again
    for each pixel.
    """
    *_, width, channels = layer.shape
    arithmetic = core.arithmetic
    groups, taps = _groups(layer, core), layer.weight.shape[1]
    registers = core.vector_registers - arithmetic.multiply_add.scratch - 1

    def cycles(tile: Tile) -> float:
        """Return what a tile takes for one of its vectors and pixels."""
        sums, weights = tile.pixels * tile.vectors, groups * taps * tile.vectors
        held = sums + weights <= registers
        loads = groups * (tile.pixels + taps - 1) * tile.vectors
        loads += 0 if held else weights * tile.pixels
        step = max(groups * taps * sums / arithmetic.multiply_adds, loads / arithmetic.loads)
        return (step + core.costs.tile) / sums + _STORE[tile.vectors] / arithmetic.multiply_adds

    return ranked(
        (
            Tile(pixels, vectors, core.lanes)
            for vectors in _STORE
            for pixels in range(1, min(width, registers) + 1)
            if channels // core.lanes % vectors == 0 and (pixels + 1) * vectors <= registers
        ),
        lambda tile: width / (-(-width // tile.pixels) * tile.pixels) / cycles(tile),
        lambda tile: tile.vectors,
    )


def _groups(layer: Convolution, core: Core) -> int:
    """Return how many times as many rows as are multiplied at once the kernel has."""
    return -(-layer.weight.shape[0] // core.arithmetic.multiply_add.products)


def _strips(layer: Convolution, tile: Tile, core: Core) -> list[int]:
    """Return how many channels go over the map together, best first.

    Their columns for one row of output are to take half the first cache: words of 32 bits.
    """
    left, right = layer.window.padding[1::2]
    words = _groups(layer, core) * (layer.data[2] + left + right) * tile.channels
    groups = layer.shape[3] // tile.channels
    best = largest_divisor(groups, max(1, core.first_cache // 2 // (4 * words)))
    strips = [n * tile.channels for n in range(1, groups + 1) if groups % n == 0]
    return [best * tile.channels, *(n for n in strips if n != best * tile.channels)]


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Bring the codes of a column of the kernel together, and multiply them at once.

    The columns of a row of output, of a strip of channels, are made once, with what lies around
    the map; each serves as many pixels as the kernel has columns.
    """
    layout, core = plan.layout, device.core(plan.element)
    tile = layout.tile

    sch = Schedule(narrowed(sch.mod["main"]))
    main, columns = sch.get_sblock("depthwise"), sch.get_sblock("columns")
    for pad in sch.get_producers(columns):
        sch.compute_inline(pad)
    output = inline_epilogue(sch, main)
    spread(sch, output, core)
    batch, height, width, channel = sch.get_loops(output)
    width, pixels = sch.split(width, [None, tile.pixels])
    strip, several, vectors, lanes = sch.split(
        channel, [None, layout.strip // tile.channels, tile.vectors, tile.lanes]
    )
    sch.reorder(batch, strip, height, width, several, pixels, vectors, lanes)
    (_, row, near), (group, tap) = accumulate(
        sch, main, several, tile.lanes, around=1, taps=1, products=True
    )
    unroll(sch, group, row, near, tap, pixels, vectors)
    sch.vectorize(lanes)
    _columns(sch, columns, height, core)
    sch.parallel(sch.fuse(batch, strip, height))
    init = sch.decompose_reduction(main, group)
    tensorize(sch, main, init, tile.lanes, core, shared=False)
    return sch


def _columns(sch: Schedule, columns: SBlockRV, at: LoopRV, core: Core) -> None:
    """Make the columns that a row of output reads, a vector of codes at a time."""
    sch.compute_at(columns, at, preserve_unit_loops=True)
    (*_, place, channel, row), _ = inner_loops(sch, columns)
    wide = power_of_two_divisor(int(sch.get(channel).extent), core.elements)
    vector, lanes = sch.split(channel, [None, wide])
    sch.reorder(place, vector, row, lanes)
    sch.unroll(row)
    sch.vectorize(lanes)
    without_borders(sch, place)


DEPTHWISE_PRODUCTS = Rule("depthwise_products", 1, Layout, _plan, _schedule)
