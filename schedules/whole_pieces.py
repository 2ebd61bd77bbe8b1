"""What bounds of indices do not tell TVM: that a piece of a map is read whole."""

from __future__ import annotations

from tvm.ir import Range
from tvm.s_tir import SBlock, Schedule
from tvm.tirx import BufferRegion, PrimFunc


def reading_whole_pieces(function: PrimFunc, name: str, piece: str) -> PrimFunc:
    """Say that a block reads all of the fourth axis of a buffer: the pixels of pieces of a map.

    Parameters
    ----------
    function : PrimFunc
    name, piece : str
        Of the block, and of the buffer.
    """
    sch = Schedule(function)
    block = sch.get_sblock(name)
    old = sch.get(block)
    reads = []
    for read in old.reads:
        region = list(read.region)
        if read.source.name == piece:
            region[3] = Range(0, read.source.shape[3])
        reads.append(BufferRegion(read.source, region))
    new = SBlock(
        old.iter_vars, reads, old.writes, name, old.body, old.init, annotations=old.annotations
    )
    sch.state.replace(sch.get_sref(block), new, {old: new})
    return sch.mod["main"]
