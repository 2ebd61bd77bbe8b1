"""Products of matrices side by side, one for each point of a transform."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Core

from .accumulate import accumulate, load_by_vectors, unroll


def multiply_points(
    sch: Schedule, main: SBlockRV, points: int, tile: Tile, at: LoopRV, core: Core
) -> LoopRV:
    """Accumulate the products in registers, one point of the transform after the other.

    Parameters
    ----------
    sch : Schedule
    main : SBlockRV
        The products; its spatial axes are rows, points, channels.
    points : int
        Axes of points.
    tile : Tile
    at : LoopRV
        Of what reads the products: those of a block of rows and of channels lie in a buffer.
    core : Core

    Returns
    -------
    LoopRV
        The outermost summing loop.
    """
    # Of a scope of their own, for TVM not to have them in the memory of another buffer.
    products = sch.cache_write(main, 0, "local")
    sch.compute_at(products, at, preserve_unit_loops=True)
    rows, *axes, channel = sch.get_loops(products)[-points - 2 :]
    rows, near = sch.split(rows, [None, tile.pixels])
    vectors, lanes = sch.split(channel, [None, tile.lanes])
    sch.reorder(*axes, rows, near, vectors, lanes)
    unroll(sch, near, vectors)
    sch.vectorize(lanes)
    (near, *_), reduced = accumulate(sch, main, rows, tile.lanes)
    unroll(sch, near)
    steps = core.steps_of_a_load(int(sch.get(reduced[0]).extent))
    if steps > 1:
        reduced[0] = load_by_vectors(sch, main, reduced[0], steps)
    return reduced[0]
