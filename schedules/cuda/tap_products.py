"""Windows of codes times the taps of a kernel, for four channels of a pixel (``dp4a``).

The codes of four channels lie together, and an instruction adds up four products of one of them: so
the codes of four rows are turned first, and what lies under several pixels is turned once, which
the compiler sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from tvm.s_tir import Schedule, TensorIntrin
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from tvmlcnn.ops.tensor_product import TAPS

from ..epilogue import inner_loops
from .threads import move_vectors, unroll, window_in_registers

CHANNELS = 4
"""Of a thread: the bytes of a register."""

# Instructions that turn the codes of four rows.
_TURN = 8


def products_of_taps(taps: Sequence[int], rows: int, columns: int, read: int) -> int:
    """Return about how many instructions multiply a tile's windows.

    Parameters
    ----------
    taps : sequence of int
        Rows and columns of the kernel.
    rows, columns : int
        Pixels of the tile.
    read : int
        Columns of the map that it reads.
    """
    turns = rows * read + taps[1]
    fours = -(-taps[0] // CHANNELS)
    return fours * (turns * _TURN + taps[1] * rows * columns * CHANNELS)


def turned(taps: Sequence[int]) -> int:
    """Return how many registers hold the turned codes of a window's columns, and weights."""
    return CHANNELS * taps[1] * (1 + -(-taps[0] // CHANNELS))


def multiply_taps(
    sch: Schedule, main: SBlockRV, thread: LoopRV, taps: tuple[int, int], dilation: tuple[int, int]
) -> LoopRV:
    """Multiply the windows of a tile's pixels, all of which a thread loads before.

    Parameters
    ----------
    sch : Schedule
    main : SBlockRV
        The sum of a thread's tile, of data or of a block "pad".
    thread : LoopRV
        The second of all loops.
    taps, dilation : tuple of int

    Returns
    -------
    LoopRV
        Around the sums of a tile.
    """
    window = window_in_registers(sch, main)
    for loads in (window, sch.cache_read(main, 1, "local")):
        sch.compute_at(loads, thread, preserve_unit_loops=True)
        move_vectors(sch, loads, CHANNELS, 2)
    (*pixel, channel), _ = inner_loops(sch, main)
    unroll(sch, *pixel)
    begun = sch.decompose_reduction(main, pixel[0])
    sch.tensorize(channel, _taps_product(*taps, *dilation))
    return begun


@cache
def _taps_product(rows: int, columns: int, down: int, across: int) -> str:
    """Return the name of the intrinsic that adds a window's products to a pixel's sums.

    Parameters
    ----------
    rows, columns : int
        Taps of the kernel, several each way.
    down, across : int
        How far they are apart in the window.
    """
    name = f"tvmlcnn.taps_product_{rows}_{columns}_{down}_{across}"
    if TensorIntrin.get(name, allow_missing=True) is None:
        described = _description(rows, columns, down, across)
        TensorIntrin.register(name, described, _implementation(rows, columns, down, across))
    return name


def _description(rows: int, columns: int, down: int, across: int) -> PrimFunc:
    high, wide = (rows - 1) * down + 1, (columns - 1) * across + 1

    @T.prim_func(s_tir=True)
    def described(a: T.handle, b: T.handle, c: T.handle) -> None:
        A = T.match_buffer(a, (high, wide, CHANNELS), "uint8", scope="local", offset_factor=1)
        B = T.match_buffer(b, (rows, columns, CHANNELS), "int8", scope="local", offset_factor=1)
        C = T.match_buffer(c, (CHANNELS,), "int32", scope="local", offset_factor=1)
        with T.sblock("root"):
            T.reads(C[0:CHANNELS], A[0:high, 0:wide, 0:CHANNELS], B[0:rows, 0:columns, 0:CHANNELS])
            T.writes(C[0:CHANNELS])
            for channel, row, column in T.grid(CHANNELS, rows, columns):
                with T.sblock("update"):
                    n, y, x = T.axis.remap("SRR", [channel, row, column])
                    C[n] = C[n] + T.cast(A[y * down, x * across, n], "int32") * T.cast(
                        B[y, x, n], "int32"
                    )

    return described


def _implementation(rows: int, columns: int, down: int, across: int) -> PrimFunc:
    high, wide = (rows - 1) * down + 1, (columns - 1) * across + 1
    multiply = TAPS.format(rows=rows, columns=columns)

    @T.prim_func(s_tir=True)
    def made(a: T.handle, b: T.handle, c: T.handle) -> None:
        a0, a1 = T.int32(), T.int32()
        b0, b1 = T.int32(), T.int32()
        A = T.match_buffer(
            a,
            (high, wide, CHANNELS),
            "uint8",
            scope="local",
            offset_factor=1,
            strides=[a0, a1, 1],
        )
        B = T.match_buffer(
            b,
            (rows, columns, CHANNELS),
            "int8",
            scope="local",
            offset_factor=1,
            strides=[b0, b1, 1],
        )
        C = T.match_buffer(c, (CHANNELS,), "int32", scope="local", offset_factor=1, strides=[1])
        with T.sblock("root"):
            T.reads(C[0:CHANNELS], A[0:high, 0:wide, 0:CHANNELS], B[0:rows, 0:columns, 0:CHANNELS])
            T.writes(C[0:CHANNELS])
            T.evaluate(
                T.call_extern(
                    "void",
                    multiply,
                    T.address_of(C[0]),
                    T.address_of(A[0, 0, 0]),
                    a0 * down,
                    a1 * across,
                    T.address_of(B[0, 0, 0]),
                    b0,
                    b1,
                )
            )

    return made
