"""The kernel of a GEMM: tiles in the registers of threads, of factors staged in shared memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV

from tvmlcnn.targets import Gpu

from ..epilogue import flatten_pixels, inline_epilogue
from ..rule import RESIDENT, SPREAD
from .blocks import LANES, finish, share_out
from .gemm_tile import GemmTile
from .threads import bind, block_sizes, move_vectors, total, unroll

# Multiply-adds of a thread's chunk that stand in a row, 16 kB of machine code: a loop would compute
# its addresses again in each round.
_UNROLLED = 1024


def gemm_kernel(
    sch: Schedule,
    tile: GemmTile,
    device: Gpu,
    bring: Callable[[Schedule, LoopRV], None],
    *,
    loaded: int,
    vectors: bool,
    resident: int,
    order: Sequence[int] = (0, 1, 2),
    join: Callable[[Schedule, SBlockRV], tuple[SBlockRV, SBlockRV]] | None = None,
) -> Schedule:
    """Sum up a tile of rows and channels of `tvmlcnn.ops.multiplied` in each thread's registers.

    The threads of a block bring a chunk of either factor to shared memory and then read, for each
    of their rows, vectors of steps, and for each step a vector of channels.

    Parameters
    ----------
    sch : Schedule
    tile : GemmTile
    device : Gpu
    bring : callable
        Has the threads bring the panel of a chunk, the loop around which it is given, to shared
        memory.
    loaded : int
        Steps of a row in shared memory that one load brings.
    vectors : bool
        Whether all vectors of channels are whole.
    resident : int
        Blocks that a multiprocessor is to hold at once.
    order : sequence of int
        In which a chunk's weights, what ``bring`` puts there, and products are computed; the first
        two are a later chunk's.
    join : callable, optional
        Has the threads make something else of the shares than their sum, in shared memory. Returns
        the block that writes a thread's own there, and the one that stores.
    """
    main = sch.get_sblock("product")
    if join is not None:
        writer, output = join(sch, main)
    elif tile.shares > 1:
        writer, output = _add_shares(sch, main, tile, vectors)
    elif tile.parts > 1:
        sums = sch.get_sblock("parts")
        output = inline_epilogue(sch, sums, "local")
        writer = sch.cache_write(main, 0, "local")
        add_parts(sch, sums, output, LANES if vectors else 1)
    else:
        writer = output = inline_epilogue(sch, main, "local")
        flatten_pixels(sch, writer)
        sch.set_scope(main, 0, "local")
    finish(sch, output, device)
    *part, row, channel = sch.get_loops(writer)[-3 if tile.cut > 1 else -2 :]
    rows, row_thread, own = sch.split(row, [None, tile.row_threads, tile.rows])
    block, channel_thread, lanes = sch.split(channel, [None, tile.channel_threads, LANES])
    if tile.shares > 1:  # within a block, that is bound
        sch.reorder(rows, block, *part, row_thread, channel_thread, own, lanes)
        thread = sch.fuse(*part, row_thread, channel_thread)
    else:
        sch.reorder(*part, rows, block, row_thread, channel_thread, own, lanes)
        thread = sch.fuse(row_thread, channel_thread)
        for index, axis in ((block, "x"), (rows, "y"), *zip(part, "z", strict=False)):
            sch.bind(index, f"blockIdx.{axis}")
    sch.bind(thread, "threadIdx.x")
    sch.unroll(own)
    if vectors or tile.shares > 1:
        sch.vectorize(lanes)
    _accumulate(sch, main, thread, tile, loaded, device, bring, order)
    # Else the compiler spills registers for the sake of blocks that fit only then.
    sch.annotate(sch.get_sblock("root"), RESIDENT, resident)
    sch.annotate(sch.get_sblock("root"), SPREAD, True)
    return sch


def _accumulate(
    sch: Schedule,
    main: SBlockRV,
    thread: LoopRV,
    tile: GemmTile,
    loaded: int,
    device: Gpu,
    bring: Callable[[Schedule, LoopRV], None],
    order: Sequence[int],
) -> None:
    """Sum up in a thread's registers, chunk by chunk of the reduction."""
    sch.compute_at(main, thread, preserve_unit_loops=True)
    *_, row, channel, step = sch.get_loops(main)
    chunk, loads, steps = sch.split(step, [None, tile.steps // loaded, loaded])
    sch.reorder(chunk, loads, steps, row, channel)
    weight = sch.cache_read(main, 1, "shared")
    sch.compute_at(weight, chunk, preserve_unit_loops=True)
    share_out(sch, sch.get_loops(weight)[-3:], tile.threads, LANES)
    bring(sch, chunk)
    for number, (lanes, at) in enumerate(((loaded, loads), (LANES, steps))):
        register = sch.cache_read(main, number, "local")
        sch.compute_at(register, at, preserve_unit_loops=True)
        *_, outer, inner = sch.get_loops(register)
        sch.unroll(outer)
        if lanes > 1:
            sch.vectorize(inner)
    unroll(sch, steps, row, channel)
    if tile.rows * LANES * tile.steps <= _UNROLLED:
        unroll(sch, loads)
    sch.decompose_reduction(main, chunk)
    bring_ahead(sch, chunk, tile.buffers, device, order)


def bring_ahead(
    sch: Schedule, chunk: LoopRV, buffers: int, device: Gpu, order: Sequence[int] = (0, 1, 2)
) -> None:
    """Bring both factors of later chunks while one is multiplied, as many as there are buffers.

    What else there is, before the products, is done for the chunk that is multiplied.
    """
    if buffers > 1:
        stages = [0, 0] + [buffers - 1] * (len(order) - 2)
        sch.annotate(chunk, "software_pipeline_stage", stages)
        sch.annotate(chunk, "software_pipeline_order", list(order))
        if device.copies_asynchronously:
            sch.annotate(chunk, "software_pipeline_async_stages", [0])


def _add_shares(
    sch: Schedule, main: SBlockRV, tile: GemmTile, vectors: bool
) -> tuple[SBlockRV, SBlockRV]:
    """Add the shares of the reduction in shared memory, and store what follows.

    Return the block that writes a thread's sums of its share there, and the one that stores.
    """
    sums = sch.get_sblock("parts")
    output = inline_epilogue(sch, sums, "local")
    flatten_pixels(sch, output)
    row, channel = sch.get_loops(output)
    rows, row = sch.split(row, [None, tile.block_rows])
    block, channel = sch.split(channel, [None, tile.block_channels])
    sch.reorder(rows, block, row, channel)
    sch.bind(block, "blockIdx.x")
    sch.bind(rows, "blockIdx.y")
    _, row = sch.split(row, [None, tile.row_threads * tile.shares])
    channel, vector = sch.split(channel, [None, LANES])
    thread = sch.fuse(row, channel)
    sch.bind(thread, "threadIdx.x")
    sch.set_scope(sums, 0, "local")
    sch.compute_at(sums, thread, preserve_unit_loops=True)
    sch.compute_at(main, block, preserve_unit_loops=True)
    sch.set_scope(main, 0, "shared")
    writer = sch.cache_write(main, 0, "local")
    _add_up(sch, sums, LANES)
    if vectors:
        sch.vectorize(vector)
    return writer, output


def add_parts(sch: Schedule, sums: SBlockRV, output: SBlockRV, lanes: int) -> None:
    """Add the parts of the reduction in a launch of its own, and store what follows."""
    flatten_pixels(sch, output)
    row, channel = sch.get_loops(output)
    rest, vector = sch.split(channel, [None, lanes])
    thread = bind(sch, [row, rest], block_sizes(total(sch, [row, rest]))[0])
    sch.set_scope(sums, 0, "local")
    sch.compute_at(sums, thread, preserve_unit_loops=True)
    _add_up(sch, sums, lanes)
    sch.vectorize(vector)


def _add_up(sch: Schedule, sums: SBlockRV, lanes: int) -> None:
    """Have a thread read vectors of parts, and add up those of its sums."""
    around = len(sch.get_loops(sums)) - 3
    *_, one, channel, part = sch.get_loops(sums)
    sch.reorder(part, one, channel)
    read = sch.cache_read(sums, 0, "local")
    sch.compute_at(read, part, preserve_unit_loops=True)
    move_vectors(sch, read, lanes, around + 1)
    unroll(sch, part, one, channel)
    sch.decompose_reduction(sums, part)
