"""Fetching weights ahead of their use."""

from __future__ import annotations

import math

from tvm.ir import Call, Op, PrimType, TensorLoad
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.sym import Analyzer
from tvm.tirx import BufferLoad, Cast, Evaluate, For, IntImm, SeqStmt, address_of

from tvmlcnn.targets import Core

# Arguments of llvm.prefetch: to read, into the second cache, data.
_READ, _SECOND_CACHE, _DATA = 0, 2, 1


def prefetch_weights(
    sch: Schedule, main: SBlockRV, tiles: LoopRV, steps: list[LoopRV], size: int, core: Core
) -> None:
    """Have each tile of pixels fetch its share of the piece of weights that comes next.

    The weights of a network come from memory, a piece after the other. Without this, the first
    tile that uses a piece waits for it, while the others find it in a cache: a prefetcher of the
    processor sees only a few lines ahead, and none over the end of a page.

    Parameters
    ----------
    sch : Schedule
    main : SBlockRV
        Accumulates ``data * weight``, of weights from `tvmlcnn.ops.pack`.
    tiles : LoopRV
        The loop over the tiles that use a piece one after the other.
    steps : list of LoopRV
        The loops over the steps of a piece, the outermost first.
    size : int
        Weights of a step.
    core : Core
    """
    several = int(sch.get(tiles).extent)
    if several > size:
        return  # what the first of so many tiles waits for does not matter
    share = math.ceil(size / several)  # of the weights of a step
    count, step = 1, IntImm("int64", 0)
    for loop in map(sch.get, steps):
        step = step * loop.extent + loop.loop_var
        count *= int(loop.extent)
    loops = [sch.get(loop) for loop in sch.get_loops(main)]
    block, realize = sch.get(main), loops[-1].body
    origin = Analyzer()
    outermost = loops.index(sch.get(steps[0]))
    for loop in loops[outermost:]:
        origin.bind(loop.loop_var, IntImm(loop.loop_var.ty.dtype, 0))
    for iterator, place in zip(block.iter_vars, realize.iter_values, strict=True):
        origin.bind(iterator.var, origin.simplify(place))
    weight = block.body.value.b.b
    if isinstance(weight, Cast):
        weight = weight.value
    *before, last = (origin.simplify(index) for index in weight.indices)
    ahead = last + count * size + (sch.get(tiles).loop_var * count + step) * share
    fetches = [
        Evaluate(_prefetch(BufferLoad(weight.source, [*before, ahead + line])))
        for line in range(0, share, core.line)
    ]
    old = sch.get(steps[-1])
    new = For(
        old.loop_var, old.min, old.extent, old.kind, SeqStmt([*fetches, old.body]),
        old.thread_binding, old.annotations,
    )  # fmt: skip
    sch.state.replace(sch.get_sref(steps[-1]), new, {})


def _prefetch(element: TensorLoad) -> Call:
    options = (IntImm("int32", option) for option in (_READ, _SECOND_CACHE, _DATA))
    return Call(Op.get("tirx.prefetch"), [address_of(element), *options], ret_ty=PrimType("void"))
