"""What follows the products of Winograd's filtering: the transform of the output, its epilogue."""

from __future__ import annotations

import tvm_ffi
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import For, IntImm, Var

from tvmlcnn.ops import Blocking
from tvmlcnn.targets import Core

from ..epilogue import inline_epilogue
from .accumulate import unroll, unroll_vectors
from .tiles import largest_divisor, power_of_two_divisor

# Iterations of a loop over tiles that LLVM unrolls whole: half a transform is 80 instructions.
_SHORT = 4


def schedule_output(
    sch: Schedule, main: SBlockRV, blocking: Blocking, core: Core
) -> tuple[LoopRV, LoopRV]:
    """Transform some tiles of a block of channels at a time; both directions fully unrolled.

    Parameters
    ----------
    sch : Schedule
    main : SBlockRV
        The products.
    blocking : Blocking
    core : Core

    Returns
    -------
    blocks, channels : LoopRV
        The loops over blocks of tiles and of channels.
    """
    tile, outputs = blocking.registers, blocking.outputs
    (rows,) = sch.get_consumers(main)
    (transformed,) = sch.get_consumers(rows)
    output = inline_epilogue(sch, transformed)
    batch, height, width, channel = sch.get_loops(output)
    height, y = sch.split(height, [None, outputs])
    width, x = sch.split(width, [None, outputs])
    # Codes are made of two vectors of sums together, if there are as many.
    wide = power_of_two_divisor(tile.channels, core.elements)
    channels, vectors, lanes = sch.split(channel, [None, tile.channels // wide, wide])
    sch.reorder(batch, height, width, channels, vectors, y, x, lanes)
    blocks, near = sch.split(sch.fuse(batch, height, width), [None, blocking.block])
    apart = largest_divisor(blocking.block, core.costs.winograd_apart)
    several, near = sch.split(near, [None, apart])
    if outputs % 2:
        sch.reorder(blocks, channels, several, near, y, vectors, x, lanes)
        unroll(sch, vectors)
        _whole(sch, rows, transformed, several, vectors, wide)
    else:
        y, odd = sch.split(y, [None, outputs // 2])
        sch.reorder(blocks, channels, several, odd, vectors, near, y, x, lanes)
        sch.unroll(odd)
        if 1 < apart <= _SHORT:
            near = sch.fuse(vectors, near)
        unroll(sch, y)
        _halves(sch, rows, transformed, near, odd, outputs)
    unroll_vectors(sch, x, lanes)
    return blocks, channels


def _whole(
    sch: Schedule,
    rows: SBlockRV,
    transformed: SBlockRV,
    several: LoopRV,
    vectors: LoopRV,
    wide: int,
) -> None:
    """Keep all rows of some tiles between the two directions: registers do not hold one's.

    An odd number of rows has no halves for them to hold.
    """
    sch.compute_at(transformed, vectors, preserve_unit_loops=True)
    unroll_vectors(sch, *sch.get_loops(transformed)[-3:])
    sch.compute_at(rows, several, preserve_unit_loops=True)
    y, points, channel = sch.get_loops(rows)[-3:]
    vectors, lanes = sch.split(channel, [None, wide])
    sch.reorder(points, vectors, y, lanes)
    unroll(sch, vectors)
    unroll_vectors(sch, y, lanes)


def _halves(
    sch: Schedule,
    rows: SBlockRV,
    transformed: SBlockRV,
    near: LoopRV,
    odd: LoopRV,
    outputs: int,
) -> None:
    """Compute rows made of sums, then those of differences.

    Registers hold what goes into two rows, if a loop over some tiles keeps LLVM from loading what
    goes into all four.
    """
    for stage in (transformed, rows):
        sch.compute_at(stage, near, preserve_unit_loops=True)
        if stage is transformed and outputs > 2:
            _only(sch, sch.get_loops(stage)[-4], odd)
        unroll_vectors(sch, *sch.get_loops(stage)[-3:])


def _only(sch: Schedule, loop: LoopRV, index: LoopRV) -> None:
    """Run a loop for one index: TVM, to which ``index % 2`` may be less, begins it at zero.

    What the block reads is then computed for that index alone.
    """
    old, wanted = sch.get(loop), sch.get(index).loop_var
    zero, one = (IntImm(old.loop_var.ty.dtype, number) for number in (0, 1))
    here = old.loop_var + wanted
    body = tvm_ffi.structural_map(
        old.body, [(Var, lambda each: here if each.same_as(old.loop_var) else each)]
    )
    new = For(old.loop_var, zero, one, old.kind, body, old.thread_binding, old.annotations)
    sch.state.replace(sch.get_sref(loop), new, {})
