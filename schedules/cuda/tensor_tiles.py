"""The tiles of products that tensor cores multiply: what a block and a warp of it compute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvmlcnn.targets import ElementType, Gpu

from .block_work import BlockWork, time_of_blocks, time_of_parts
from .lane_steps import QUARTERS
from .threads import SCHEDULERS, WARP
from .warp_products import COLUMNS, LOAD_BYTES, ROWS

_ROWS_OF_LANE = (2, 4, 8)
_COLUMNS_OF_WARP = (8, 16, 24, 32, 40, 48, 64, 80, 96, 128)
_TILES_OF_VECTOR = (4, 2, 1)
_WARPS_DOWN, _WARPS_ACROSS = (1, 2, 4, 8), (1, 2, 3, 4)
_MOST_WARPS = 8
_SEGMENTS = (1, 2, 3, 4)
_PARTS = (1, 2, 3, 4, 5, 6, 8)
_BUFFERS, _ASYNC_BUFFERS = 2, 3
# Sums of a lane: with what it multiplies, and addresses, within the 128 registers that two blocks
# of 256 threads have.
_MOST_SUMS = 64
_OTHER_REGISTERS = 48
# Instructions of a store, with its addresses and what is read beside it.
_STORE = 6


@dataclass(frozen=True)
class TensorTile:
    """How a product is cut for tensor cores.

    Attributes
    ----------
    rows : int
        Of a lane, one after the other.
    vectors : int
        Of columns, of a lane and of its warp.
    tiles : int
        Instructions that a vector of a warp is made of, side by side.
    warps_down, warps_across : int
        Of a block.
    segments : int
        Of the reduction, whose factors are staged in shared memory at a time.
    parts : int
        Of the reduction, each of them another block's.
    buffers : int
        Chunks of segments in shared memory: one is read while the others are brought.
    """

    rows: int
    vectors: int
    tiles: int
    warps_down: int
    warps_across: int
    segments: int
    parts: int
    buffers: int

    @property
    def threads(self) -> int:
        """Of a block."""
        return WARP * self.warps_down * self.warps_across

    @property
    def wide(self) -> int:
        """Columns of a vector of a warp."""
        return COLUMNS * self.tiles

    @property
    def block_rows(self) -> int:
        """Rows of a block."""
        return ROWS * self.rows * self.warps_down

    @property
    def block_channels(self) -> int:
        """Channels of a block."""
        return self.wide * self.vectors * self.warps_across

    @property
    def shared_bytes(self) -> int:
        """Shared memory of a block, for both factors."""
        own = self.segments * (self.block_rows + self.block_channels)
        return self.buffers * own * QUARTERS * LOAD_BYTES


def segment_of(element: ElementType) -> int:
    """Return how many steps of the reduction a segment has."""
    return QUARTERS * LOAD_BYTES // element.bytes


def tensor_tiles(
    rows: int, channels: int, steps: int, groups: int, element: ElementType, gpu: Gpu
) -> list[TensorTile]:
    """Return tiles of a product, the one of the least estimated time first.

    Parameters
    ----------
    rows, channels, steps : int
        Of the product; the channels are one group's.
    groups : int
    element : ElementType
    gpu : Gpu
    """
    count = -(-steps // segment_of(element))
    found = {
        tile: _time(tile, rows, channels * groups, count, element, gpu)
        for tile in _fitting(rows, channels, count, gpu)
        if _is_whole(tile, channels, groups)
    }
    least = min(found.values(), default=0.0)
    return sorted((t for t in found if found[t] <= 2 * least), key=lambda t: (found[t], t.parts))


def _is_whole(tile: TensorTile, channels: int, groups: int) -> bool:
    """Tell whether blocks are of one group, and all vectors of a lane and of a block are stored.

    The last of several blocks may have fewer.
    """
    if groups > 1 and channels % tile.block_channels:
        return False
    if tile.vectors > 1 and channels % tile.wide:
        return False
    count, each = -(-channels // tile.wide), tile.vectors * tile.warps_across
    return count >= each


def _fitting(rows: int, channels: int, count: int, gpu: Gpu) -> Iterator[TensorTile]:
    buffers = _ASYNC_BUFFERS if gpu.copies_asynchronously else _BUFFERS
    fewest = min(_COLUMNS_OF_WARP[-1], -(-channels // COLUMNS) * COLUMNS)
    for columns in _COLUMNS_OF_WARP:
        tiles = next(n for n in _TILES_OF_VECTOR if columns // COLUMNS % n == 0)
        for across in _WARPS_ACROSS:
            if columns * across >= fewest + columns:
                continue
            for own in _ROWS_OF_LANE:
                if own * columns // QUARTERS > _MOST_SUMS:
                    continue
                for down in _WARPS_DOWN:
                    if down > 1 and ROWS * own * (down - 1) >= rows:
                        continue
                    if not down * across <= _MOST_WARPS:
                        continue
                    for segments in (n for n in _SEGMENTS if count % n == 0):
                        chunks = count // segments
                        for parts in (n for n in _PARTS if chunks % n == 0):
                            # A part is worth its sums where it has several chunks.
                            if parts > 1 and count < 4 * parts:
                                continue
                            tile = TensorTile(
                                own,
                                columns // COLUMNS // tiles,
                                tiles,
                                down,
                                across,
                                segments,
                                parts,
                                min(buffers, chunks // parts),
                            )
                            if tile.shared_bytes <= gpu.shared_bytes:
                                yield tile


def _time(
    tile: TensorTile, rows: int, channels: int, count: int, element: ElementType, gpu: Gpu
) -> float:
    """Return about how many instructions of a warp a scheduler issues until all blocks are done."""
    columns = tile.vectors * tile.wide
    products = tile.rows * ROWS * columns * segment_of(element)
    multiply = products / (gpu.products_at_once(element) / SCHEDULERS)
    reads = tile.rows + columns // COLUMNS
    if not gpu.multiplies_by_warps(element):  # a lane loads all of its rows and columns
        reads = QUARTERS * (tile.rows + columns // QUARTERS)
    copied = 3 * (tile.block_rows + tile.block_channels) * QUARTERS / tile.threads
    own = count // tile.parts
    block = BlockWork(
        threads=tile.threads,
        registers=tile.rows * columns // QUARTERS + 4 * tile.rows + _OTHER_REGISTERS,
        shared=tile.shared_bytes,
        chunks=own // tile.segments,
        chunk=tile.segments * (multiply + reads + copied),
        stores=tile.rows * (2 * columns / QUARTERS + _STORE * tile.vectors),
        buffers=tile.buffers,
        moved=own * (tile.block_rows + tile.block_channels) * QUARTERS * LOAD_BYTES
        + tile.block_rows * tile.block_channels * element.bytes,
    )
    blocks = -(-rows // tile.block_rows) * -(-channels // tile.block_channels) * tile.parts
    return time_of_blocks(block, blocks, gpu) + time_of_parts(tile.parts, rows, channels, gpu)
