"""Dense convolutions, pointwise ones above all, and products with a matrix of weights."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.targets import Core, Cpu

from ..decisions import Decisions
from ..epilogue import flatten_pixels, inline_epilogue
from ..rule import Plan, Rule
from ..whole_pieces import reading_whole_pieces
from .accumulate import accumulate, accumulate_chunks, load_by_vectors, unroll
from .blocks import spread, vectorize, vectorize_copy
from .dense_loops import Layout, loops
from .dense_plan import NAME, plan_dense
from .dot_products import tensorize, tensorize_pairs
from .padding import narrowed, skip_padding, without_borders
from .prefetch import prefetch_weights
from .tiles import largest_divisor, power_of_two_divisor


def _schedule(sch: Schedule, plan: Plan, device: Cpu, decisions: Decisions) -> Schedule:
    """Accumulate a tile of pixels and channels in registers over the whole reduction.

    A tile's weights are read as vectors that every one of its pixels uses, a pixel's value as a
    broadcast that every one of its vectors uses. Many tiles of pixels in a row use the same
    weights while they are in the first cache, and then the next weights the same pixels while
    those are in the second; where they are few they fetch the weights that come next. The epilogue
    works on the registers. What a prologue makes of the pixels is kept in a panel. Where the sums
    of chunks are to be added to longer ones, those are in memory, and the registers the chunks'.
    """
    layout = plan.layout
    core = device.core(plan.element).multiplying(layout.products)
    tile, cut = layout.tile, loops(layout, core, decisions)

    if cut.skips_padding:
        sch = Schedule(skip_padding(sch.mod["main"], "dense"))
    else:
        sch = Schedule(narrowed(sch.mod["main"]))
    if layout.along:
        sch = Schedule(reading_whole_pieces(sch.mod["main"], "dense", "values"))
    main = sch.get_sblock("dense")
    output = inline_epilogue(sch, main)
    spread(sch, output, core)
    rows, block, several = _store(sch, output, layout, cut.near)
    far = [rows, block] if cut.rows_outside else [block, rows]
    sch.reorder(*far, several)
    at = far[-1] if cut.deep else several
    pieces = len(layout.kernel) - 1 if cut.deep else 0
    several_products = layout.products > 1
    (tiles, pixels), reduced = accumulate(
        sch,
        main,
        at,
        tile.lanes,
        rows=tile.pixels,
        around=1,
        pieces=pieces,
        products=several_products,
    )
    sums, outer = main, reduced
    if layout.chunked:
        main, pixels, reduced = accumulate_chunks(sch, "dense_chunk", pixels, reduced, tile.lanes)
    inner = reduced[pieces:]
    fetching = inner
    if cut.chunk > 1:
        inner = [*inner[:-1], *sch.split(inner[-1], [None, cut.chunk])]
        fetching = inner[:-1]
    whole = inner[len(inner) - min(cut.unrolled, len(inner) - 1) :]
    loads = layout.steps > 1 or layout.paired > 0
    if cut.steps > 1 and not loads:
        inner = [*inner[:-1], *sch.split(inner[-1], [None, cut.steps])]
        whole = inner[-1:]
        fetching = fetching if cut.chunk > 1 else inner
    if loads:
        lanes = core.lanes if layout.along else 0
        inner[-1] = load_by_vectors(
            sch, main, inner[-1], layout.steps, lanes=lanes, loads=cut.steps
        )
        fetching = fetching if cut.chunk > 1 else inner
    unroll(sch, *whole, pixels)
    if cut.skips_padding:
        without_borders(sch, several)
    _inputs(sch, sch.get_sblock("values") if loads else main, layout, core)
    if layout.panel:
        panel = sch.get_sblock("panel")
        sch.compute_at(panel, rows)
        _by_lines(sch, panel, rows, core)
    sch.parallel(rows if layout.panel else sch.fuse(*far))
    init = sch.decompose_reduction(main, (reduced[:pieces] + inner)[0])
    if layout.chunked:
        sch.decompose_reduction(sums, outer[0])
    if cut.fetches:
        serves = tiles if cut.deep else several
        size = tile.channels * layout.products * cut.chunk
        prefetch_weights(sch, main, serves, fetching, size, core)
    if layout.paired:
        tensorize_pairs(sch, main, init, tile, layout.products, layout.paired, core)
    elif several_products:
        tensorize(sch, main, init, tile.lanes, core)
    return sch


def _store(
    sch: Schedule, output: SBlockRV, layout: Layout, near: int
) -> tuple[LoopRV, LoopRV, LoopRV]:
    """Cut the output; return the loops over rows of tiles, blocks of channels, tiles of a row."""
    flatten_pixels(sch, output)
    row, channel = sch.get_loops(output)
    tile = layout.tile
    rows, pixels = sch.split(row, [None, tile.pixels])
    rows, several = sch.split(rows, [None, near])
    if layout.channels % tile.lanes:
        # Not all lanes of the last vector are stored: LLVM finds the vectors of those before.
        block, lanes = sch.split(channel, [None, tile.channels])
        sch.reorder(rows, block, several, pixels, lanes)
        return rows, block, several
    block, vectors, lanes = sch.split(channel, [None, tile.vectors, tile.lanes])
    sch.reorder(rows, block, several, pixels, vectors, lanes)
    unroll(sch, pixels, vectors)
    sch.vectorize(lanes)
    return rows, block, several


def _by_lines(sch: Schedule, panel: SBlockRV, rows: LoopRV, core: Core) -> None:
    """Make a panel, at a loop, by vectors: a line of channels of all pixels, then the next line.

    So registers hold the scales and biases of a line. With all channels of a pixel first LLVM would
    take those of all of them out of the loop over the pixels, and put them on the stack.
    """
    channels = int(sch.get(sch.get_loops(panel)[-1]).extent)
    lanes = power_of_two_divisor(channels, core.lanes)
    vectorize(sch, panel, core)
    # Where loads are no instructions they take no time, and no registers.
    if lanes not in core.vectors() or not core.arithmetic.load:
        return
    pixel, vectors, vector = sch.get_loops(panel)[-3:]
    if sch.get_sref(pixel).same_as(sch.get_sref(rows)):
        return
    near = largest_divisor(channels // lanes, max(1, core.line // lanes))
    lines, vectors = sch.split(vectors, [None, near])
    sch.reorder(lines, pixel, vectors, vector)
    sch.unroll(vectors)


def _inputs(sch: Schedule, reader: SBlockRV, layout: Layout, core: Core) -> None:
    """Copy what is read, where a copy is made, with its prologue in it."""
    for source in sch.get_producers(reader):
        if layout.panel and sch.get(source).name_hint == "panel":
            continue
        for prologue in sch.get_producers(source):
            sch.compute_inline(prologue)
        vectorize_copy(sch, source, core)


DENSE = Rule(NAME, 5, Layout, plan_dense, _schedule)
