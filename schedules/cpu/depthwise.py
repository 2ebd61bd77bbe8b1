"""Depthwise convolutions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Core, Cpu

from ..decisions import Decisions
from ..depthwise_definition import depthwise_definition
from ..epilogue import inline_epilogue
from ..layer import Convolution, Layer
from ..rule import Plan, Rule
from .accumulate import accumulate, unroll
from .blocks import spread
from .integers_as_numbers import as_numbers, without_integers
from .padding import skip_padding, without_borders
from .tiles import largest_divisor, on_stack, ranked

# Fewer pixels of a tile share too few of what they read.
_PIXELS = 3


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : Tile
    columns, channels : int
        Of the map that is computed.
    taps : tuple of int
        Rows and columns of the kernel.
    """

    tile: Tile
    columns: int
    channels: int
    taps: tuple[int, ...]


def _plan(layer: Layer, device: Cpu, decisions: Decisions) -> Plan | None:
    """Take depthwise convolutions whose channels fill vectors."""
    if not isinstance(layer, Convolution) or not layer.is_depthwise:
        return None
    core = device.core(layer.element)
    *_, columns, channels = layer.shape
    # Codes that are made numbers want to serve the taps of neighbours, wherever they come from.
    size = 0 if as_numbers(layer, core) else core.bytes(math.prod(layer.data))
    taps = layer.weight.shape[:2]
    tiles = depthwise_tiles(columns, channels, core, size, layer.window.strides[1], taps[1])
    if not tiles:
        return None
    layout = Layout(decisions.choose("tile", tiles), columns, channels, taps)
    return Plan(
        DEPTHWISE.name,
        layer.element,
        layer.workload,
        layout,
        definition=partial(depthwise_definition, layer, numbers=as_numbers(layer, core)),
    )


def depthwise_tiles(
    width: int, channels: int, core: Core, size: int = 0, stride: int = 1, taps: int = 1
) -> list[Tile]:
    """Return tiles for rows of ``width`` pixels, best first; none where no vector divides.

    Half the registers hold the tile. It costs its pixels, and one more for loading the weights.
    A map of ``size`` bytes that the second cache does not hold is read in whole lines; with larger
    steps than one, where a tile reads twice as many pixels, that gains nothing. Where a tile of
    whole lines would have too few pixels, its registers are better spent on these. A core that
    wants registers spared loads the ``taps`` weights of a row ahead, and the pixels under them:
    with steps of one each serves another tap at once, with larger ones it waits for the next pixel.
    """
    for lanes in core.vectors():
        if channels % lanes == 0:
            whole = stride == 1 and size > core.whole_second_cache
            chains, most = core.costs.chains, core.free_registers // 2
            if core.costs.spared_registers and stride > 1:
                ahead = taps + max(taps - stride, 1)
                most = min(most, max(core.free_registers - ahead, most // 2))
            line = max(1, core.line // lanes) if whole else 1
            while most // line < _PIXELS and line > 1:
                line //= 2
            # Rows of few pixels have too few chains of additions: several vectors have enough.
            tiles = (
                Tile(
                    n, largest_divisor(channels // lanes, max(line, min(chains, most) // n)), lanes
                )
                for n in range(1, min(width, most) + 1)
            )
            return ranked(
                (t for t in tiles if t.pixels * t.vectors <= most and on_stack(t, core)),
                lambda tile: width / (-(-width // tile.pixels) * (tile.pixels + 1)),
                lambda tile: tile.pixels,
            )
    return []


def depthwise_strips(layout: Layout, core: Core) -> list[int]:
    """Return how many vectors of channels go over the map together, best first.

    As many as leave the rows of a kernel in half the first cache from one row of output to the
    next; all of them where that would take too few bytes of a pixel for memory to be read in long
    pieces.
    """
    tile, vectors = layout.tile, layout.channels // layout.tile.lanes
    most = core.first_cache // 2 // core.bytes(layout.taps[0] * layout.columns * tile.lanes)
    groups = vectors // tile.vectors
    strip = tile.vectors * largest_divisor(groups, max(1, most // tile.vectors))
    best = strip if core.bytes(strip * tile.lanes) >= core.costs.long_read_bytes else vectors
    strips = (tile.vectors * n for n in range(1, groups + 1) if groups % n == 0)
    return [best, *(other for other in strips if other != best)]


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Accumulate a few pixels of a row, a vector of channels each, over the unrolled kernel.

    A pixel that is loaded serves all the taps of the row that it lies under, and its row the rows
    of output around it, while it is in the first cache: on large maps all channels of a few
    pixels are taken in turn, as they lie in memory, on small ones a strip of channels goes over
    the whole map. Taps in the padding are left out; only the first and the last tile of a row and
    the first and the last rows have any.
    """
    layout, core = plan.layout, device.core(plan.element)
    tile = layout.tile
    strip_vectors = decisions.choose("strip", depthwise_strips(layout, core))
    few = math.prod(layout.taps) <= core.costs.unrolled_taps
    whole = decisions.choose("unroll", (few, not few))

    sch = Schedule(skip_padding(sch.mod["main"], "depthwise"))
    main = sch.get_sblock("depthwise")
    output = inline_epilogue(sch, main)
    without_integers(sch, main, output)
    spread(sch, output, core)
    batch, height, width, channel = sch.get_loops(output)
    width, pixels = sch.split(width, [None, tile.pixels])
    strip, several, vectors, lanes = sch.split(
        channel, [None, strip_vectors // tile.vectors, tile.vectors, tile.lanes]
    )
    sch.reorder(batch, strip, height, width, several, pixels, vectors, lanes)
    taps = accumulate_taps(sch, main, several, tile, whole)
    unroll(sch, pixels, vectors)
    sch.vectorize(lanes)
    without_borders(sch, width)
    sch.parallel(sch.fuse(batch, strip, height))
    sch.decompose_reduction(main, taps)
    return sch


def accumulate_taps(sch: Schedule, main: SBlockRV, at: LoopRV, tile: Tile, whole: bool) -> LoopRV:
    """Accumulate a tile over a depthwise kernel; return the outer loop of the sum.

    The taps of a row of the kernel are unrolled inside a tile's pixels, which share their loads;
    the rows are too where the ``whole`` kernel is to be.
    """
    (_, row, pixels), (ry, rx) = accumulate(sch, main, at, tile.lanes, around=1, taps=1)
    unroll(sch, row, pixels, rx, *([ry] if whole else []))
    return ry


DEPTHWISE = Rule("depthwise", 1, Layout, _plan, _schedule)
