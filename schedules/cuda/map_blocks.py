"""Which pixels and channels of a map are a block's, where a thread reads a window of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV

from tvmlcnn.ops import Window
from tvmlcnn.targets import ElementType, Gpu

from .threads import WARP

_LEAST, _MOST = 64, 256
# What memory is read by, and a line of the first cache.
_SECTOR_BYTES, _LINE_BYTES = 32, 128
# What it costs that a warp's access is in several lines, for each but the first of 128 bytes.
_LINE = 0.1
# What lanes without work cost where their multiprocessors would wait for others anyway.
_IDLE = 0.25
# Neighbouring threads with neighbouring channels: two lines.
_MOST_CHANNEL_THREADS = 16


@dataclass(frozen=True)
class Tile:
    """What a thread computes.

    Attributes
    ----------
    rows, columns : int
        Pixels of output.
    lanes : int
        Channels.
    """

    rows: int
    columns: int
    lanes: int

    def counts(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """Return how many tiles a map, (N, H, W, C), has down, across, and in channels."""
        _, height, width, channels = shape
        return -(-height // self.rows), -(-width // self.columns), channels // self.lanes


@dataclass(frozen=True)
class MapBlock:
    """The threads of a block, each with a tile.

    Attributes
    ----------
    rows, columns, channels : int
        Threads along each axis, which divide the tiles that there are.
    """

    rows: int
    columns: int
    channels: int

    @property
    def threads(self) -> int:
        """Of the block."""
        return self.rows * self.columns * self.channels


def map_blocks(
    shape: Sequence[int],
    tile: Tile,
    taps: Sequence[int],
    window: Window,
    element: ElementType,
    device: Gpu,
) -> list[MapBlock]:
    """Return blocks, best first: few bytes for an output, whole warps, no multiprocessor idle.

    Parameters
    ----------
    shape : sequence of int
        Of the output: (N, H, W, C).
    tile : Tile
    taps : sequence of int
        Rows and columns of the window.
    window : Window
    element : ElementType
        Of the map.
    device : Gpu
    """
    down, across, vectors = tile.counts(shape)

    def cost(block: MapBlock) -> float:
        sides = (block.rows * tile.rows, block.columns * tile.columns)
        reads = math.prod(
            (n - 1) * step + (count - 1) * spread + 1
            for n, count, step, spread in zip(
                sides, taps, window.strides, window.dilation, strict=True
            )
        )
        bytes = block.channels * tile.lanes * element.bytes
        unused = -(-bytes // _SECTOR_BYTES) * _SECTOR_BYTES / bytes
        lines = 1 + _LINE * max(0.0, _LINE_BYTES / bytes - 1)
        traffic = (reads / math.prod(sides) + 1) * unused * lines
        idle = -(-block.threads // WARP) * WARP / block.threads
        few = max(1.0, _LEAST / block.threads)
        blocks = shape[0] * down * across * vectors // block.threads
        share = -(-blocks // device.multiprocessors) * device.multiprocessors / blocks
        return traffic * few * share * idle ** (1 + _IDLE)

    sizes = _divisors(vectors, max(_MOST_CHANNEL_THREADS, _least(vectors)))
    whole = [n for n in sizes if n * tile.lanes * element.bytes >= _SECTOR_BYTES]
    options = (
        MapBlock(rows, columns, channels)
        for channels in whole or sizes[-1:]
        for rows in _divisors(down, _MOST // channels)
        for columns in _divisors(across, _MOST // channels // rows)
    )
    return sorted(options, key=cost)


def _divisors(number: int, most: int) -> list[int]:
    return [n for n in range(1, most + 1) if number % n == 0]


def _least(vectors: int) -> int:
    """Return the smallest divisor but 1 that a block can have."""
    return next((n for n in range(2, _MOST + 1) if vectors % n == 0), 1)


def bind_map(
    sch: Schedule, loops: Sequence[LoopRV], tile: Tile, block: MapBlock
) -> tuple[LoopRV, list[LoopRV]]:
    """Give each tile of a map to a thread.

    Parameters
    ----------
    sch : Schedule
    loops : sequence of LoopRV
        Over images, rows, columns and channels.
    tile : Tile
    block : MapBlock

    Returns
    -------
    LoopRV
        Over the threads of a block, the second loop of all.
    list of LoopRV
        Over the rows, columns and channels of a tile.
    """
    image, *axes = loops
    threads = (block.rows, block.columns, block.channels)
    own = (tile.rows, tile.columns, tile.lanes)
    parts = [
        sch.split(axis, [None, count, size])
        for axis, count, size in zip(axes, threads, own, strict=True)
    ]
    outer, inner, elements = (list(each) for each in zip(*parts, strict=True))
    sch.reorder(image, *outer, *inner, *elements)
    sch.bind(sch.fuse(image, *outer), "blockIdx.x")
    thread = sch.fuse(*inner)
    sch.bind(thread, "threadIdx.x")
    return thread, elements
