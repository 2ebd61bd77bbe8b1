"""The step that all sums of products share: a tile is accumulated in registers."""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from ..epilogue import inner_loops


def accumulate(
    sch: Schedule,
    block: SBlockRV,
    at: LoopRV,
    lanes: int,
    *,
    rows: int | None = None,
    around: int = 0,
    pieces: int = 0,
    taps: int = 0,
    channel_axes: int = 1,
    products: bool = False,
) -> tuple[list[LoopRV], list[LoopRV]]:
    """Compute a sum at a loop, for a tile at a time, whose sums stay in registers.

    The reduction goes around the tile's pixels and vectors, so that each of its steps adds to all
    of them: reducing innermost would make one chain of additions, and a horizontal sum for each
    output. The channels are cut into vectors, which are unrolled, and their lanes.

    Parameters
    ----------
    sch : Schedule
    block : SBlockRV
        The sum; its last spatial axes are the channels.
    at : LoopRV
        Of what reads the sums.
    lanes : int
        Of a vector.
    rows : int, optional
        Pixels of a tile, where what is computed at the loop has several tiles: the pixels'
        innermost loop is then cut, and the loop over the tiles counts as one of the pixels'.
    around : int
        How many of the pixels' loops, the outer ones, go around the reduction.
    pieces : int
        How many loops of the reduction, the outer ones, go around even these.
    taps : int
        How many loops of the reduction, the inner ones, go inside the pixels' loops.
    channel_axes : int
        Axes of the channels: groups and those of a group may be apart.
    products : bool
        Whether the innermost loop of the reduction is over what an instruction multiplies at a
        time. It goes inside the lanes, neither is vectorized, and the loop is not returned.

    Returns
    -------
    pixels, reduced : list of LoopRV
        The loops of each, the outermost first; none of them is unrolled yet.
    """
    sch.compute_at(block, at, preserve_unit_loops=True)
    spatial, reduced = inner_loops(sch, block)
    several = [reduced.pop()] if products else []
    pixels, channels = spatial[:-channel_axes], spatial[-channel_axes:]
    channel = sch.fuse(*channels) if channel_axes > 1 else channels[0]
    if rows is not None:
        pixels[-1:] = sch.split(pixels[-1], [None, rows])
    vectors, lane = sch.split(channel, [None, lanes])
    inside = len(reduced) - taps
    sch.reorder(
        *reduced[:pieces],
        *pixels[:around],
        *reduced[pieces:inside],
        *pixels[around:],
        *reduced[inside:],
        vectors,
        lane,
        *several,
    )
    sch.unroll(vectors)
    if not products:
        sch.vectorize(lane)
    return pixels, reduced


def accumulate_chunks(
    sch: Schedule, name: str, pixels: LoopRV, outer: list[LoopRV], lanes: int
) -> tuple[SBlockRV, LoopRV, list[LoopRV]]:
    """Sum up chunks of a sum in registers, each at a step of the whole sum, whose pixels are these.

    Parameters
    ----------
    sch : Schedule
    name : str
        Of the block that sums up a chunk; its outer spatial axes are the whole sum's steps.
    pixels : LoopRV
        Of a tile of the whole sum.
    outer : list of LoopRV
        The whole sum's reduction.
    lanes : int

    Returns
    -------
    SBlockRV, LoopRV, list of LoopRV
        The block, the loop over a tile's pixels, and its reduction; none of them is unrolled yet.
    """
    chunk = sch.get_sblock(name)
    near, inner = accumulate(sch, chunk, outer[-1], lanes)
    unroll(sch, pixels, *near[:-1])
    return chunk, near[-1], inner


def load_by_vectors(
    sch: Schedule, block: SBlockRV, loop: LoopRV, steps: int, *, lanes: int = 0, loads: int = 1
) -> LoopRV:
    """Have one load bring a row's values for several steps of a sum, which take a lane of it each.

    A broadcast for each step and row takes as many loads as there are steps; where multiply-adds
    take a factor from a lane, a vector of values needs none.

    Parameters
    ----------
    sch : Schedule
    block : SBlockRV
        The sum, from `accumulate`; it reads its values from a stage called ``values``.
    loop : LoopRV
        The innermost loop of the reduction, which ``steps`` divide.
    steps : int
        1 where each has as many values as a load brings.
    lanes : int
        Values of a load, where it takes several to bring those of the steps.
    loads : int
        Divisor of their number: so many are made before the loop goes on.

    Returns
    -------
    LoopRV
        The loop over the loads.
    """
    (values,) = (b for b in sch.get_producers(block) if sch.get(b).name_hint == "values")
    each, *lane = sch.split(loop, [None, steps]) if steps > 1 else [loop]
    sch.compute_at(values, each, preserve_unit_loops=True)
    spatial, _ = inner_loops(sch, values)
    *rows, vector = spatial
    if lanes:
        more, vector = sch.split(vector, [None, lanes])
        rows.append(more)
    unroll(sch, *rows, *lane)
    sch.vectorize(vector)
    if loads > 1:
        each, several = sch.split(each, [None, loads])
        sch.unroll(several)
    return each


def unroll(sch: Schedule, *loops: LoopRV) -> None:
    """Unroll loops."""
    for loop in loops:
        sch.unroll(loop)


def unroll_vectors(sch: Schedule, *loops: LoopRV) -> None:
    """Unroll loops, of which the last one is over the lanes of a vector."""
    unroll(sch, *loops[:-1])
    sch.vectorize(loops[-1])
