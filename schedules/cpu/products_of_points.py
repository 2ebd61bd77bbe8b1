"""Products of matrices side by side, one for each point of a transform."""

from __future__ import annotations

from collections.abc import Callable

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Core

from .accumulate import accumulate, load_by_vectors, unroll, unroll_vectors

Transform = Callable[[Schedule, SBlockRV, Core], LoopRV]


def schedule_points(
    sch: Schedule,
    main: SBlockRV,
    points: int,
    tile: Tile,
    at: tuple[LoopRV, LoopRV],
    transform: Transform,
    core: Core,
) -> None:
    """Take a block of rows through the transform and the products while it is in the caches.

    With one block of rows, the cores share the blocks of channels, each reading its own weights
    once; the input is then transformed before, by all of them.

    Parameters
    ----------
    sch : Schedule
    main : SBlockRV
        The products; its spatial axes are rows, points, channels. They read a block ``input``.
    points : int
        Axes of points.
    tile : Tile
    at : tuple of LoopRV
        Loops of what reads the products, over blocks of rows and of channels.
    transform : callable
        Lays out the block ``input``; returns its loop over the rows.
    core : Core
    """
    blocks, channel_blocks = at
    spectrum = sch.get_sblock("input")
    reduction = _multiply(sch, main, points, tile, channel_blocks, core)
    if int(sch.get(blocks).extent) > 1:
        sch.compute_at(spectrum, blocks, preserve_unit_loops=True)
        transform(sch, spectrum, core)
        sch.parallel(blocks)
    else:
        sch.parallel(transform(sch, spectrum, core))
        sch.parallel(sch.fuse(blocks, channel_blocks))
    # The points of the transform lie an odd number of lines apart: a transform touches all of them,
    # and at a power of two they would share a few sets of the first cache.
    sch.storage_align(spectrum, 0, points - 1, 2 * core.line, core.line)
    sch.decompose_reduction(main, reduction)


def _multiply(
    sch: Schedule, main: SBlockRV, points: int, tile: Tile, at: LoopRV, core: Core
) -> LoopRV:
    """Accumulate in registers, one point after the other; return the outermost summing loop."""
    # Of a scope of their own, for TVM not to have them in the memory of another buffer.
    products = sch.cache_write(main, 0, "local")
    sch.compute_at(products, at, preserve_unit_loops=True)
    rows, *axes, channel = sch.get_loops(products)[-points - 2 :]
    rows, near = sch.split(rows, [None, tile.pixels])
    vectors, lanes = sch.split(channel, [None, tile.lanes])
    sch.reorder(*axes, rows, near, vectors, lanes)
    unroll_vectors(sch, near, vectors, lanes)
    (near, *_), reduced = accumulate(sch, main, rows, tile.lanes)
    unroll(sch, near)
    steps = core.steps_of_a_load(int(sch.get(reduced[0]).extent))
    if steps > 1:
        reduced[0] = load_by_vectors(sch, main, reduced[0], steps)
    return reduced[0]
