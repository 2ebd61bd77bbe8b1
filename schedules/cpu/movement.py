"""Loops of kernels that move data, or compute each element on its own.

Where what is written lies in another order than what is read, one of the two is far apart whichever
loop is the innermost. Square tiles read whole lines of one and write whole lines of the other.
"""

from __future__ import annotations

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import SBlockRV

from ..steps import cut, loops_of, read_across
from .tiles import largest_divisor, power_of_two_divisor

# Elements of a tile's side; chosen by measuring transposes of 64x3136 to 256x4096 on AMD and Intel.
_TILE = 16
# Of a side that is worth a tile.
_SHORTEST = 4


def transpose(sch: Schedule, block: SBlockRV) -> bool:
    """Lay out a block that reads along another loop than it writes; False if it does not.

    The loop along which is read is the inner one of a tile: it takes fewer instructions to store
    the elements of a vector apart than to gather them.
    """
    loops = loops_of(sch, block)
    across = read_across(loops)
    if loops is None or across is None or across.extent < _SHORTEST:
        return False
    parts = cut(sch, block, loops)
    outer = [part for part, loop in zip(parts[:-1], loops, strict=False) if loop is not across]
    rows, row = sch.split(parts[-1], [None, _side(loops[-1].extent)])
    side = _side(across.extent)
    columns, column = sch.split(parts[loops.index(across)], [None, side])
    sch.reorder(*outer, columns, rows, row, column)
    sch.unroll(row)
    # Also of sides that no vector has: LLVM comes to no end with loops over four rows of six bytes
    # for AVX-512.
    sch.vectorize(column)
    sch.parallel(sch.fuse(*outer, columns))
    return True


def _side(extent: int) -> int:
    """Return the side of a tile: a vector's, where that is not short."""
    power = power_of_two_divisor(extent, _TILE)
    return power if power >= _TILE // 2 else largest_divisor(extent, _TILE)
