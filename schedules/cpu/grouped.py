"""Convolutions of channels in groups: ResNeXt's, AlexNet's, and ShuffleNet's pointwise ones."""

from __future__ import annotations

from collections.abc import Iterator

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import PrimFunc

from tvmlcnn.ops import Tile
from tvmlcnn.ops.grouped import alignment
from tvmlcnn.targets import Device

from ..decisions import Policy
from ..rule import Rule
from .blocks import (
    find_tiled,
    flatten_pixels,
    inline_epilogue,
    inner_loops,
    spread,
    vectorize,
)
from .tiles import (
    CHAINS,
    SCALES,
    filled,
    largest_divisor,
    on_stack,
    ranked,
    scaled,
)

# Rows of a strip, or tiles where a map is one row, at most; and what tuning may try.
_ROWS, _TILES, _MOST = 8, 16, 64
# Vectors of a period whose code is unrolled at most.
_MOST_UNROLLED = 32


def grouped_tiles(width: int, taps: int, channels: int, groups: int, device: Device) -> list[Tile]:
    """Return tiles of a grouped convolution, best first, for `tvmlcnn.ops.grouped`.

    Parameters
    ----------
    width : int
        Pixels of a row of output; of the whole map for a pointwise convolution.
    taps : int
        Of the kernel.
    channels : int
        Of the output.
    groups : int
    device : Device

    Returns
    -------
    list of Tile
        Tiles repeat themselves within a period of channels, after which groups and vectors lie
        to each other as at the start; none where no period divides the channels.
    """
    return ranked(
        _tiles(taps, channels, groups, device),
        lambda tile: round(
            _efficiency(tile, channels // groups, device) * filled(width, tile.pixels), 2
        ),
        lambda tile: -tile.pixels * tile.channels,
    )


def _tiles(taps: int, channels: int, groups: int, device: Device) -> Iterator[Tile]:
    outer = channels // groups
    for lanes in (device.lanes, device.lanes // 2, device.lanes // 4):
        if lanes < 4 or channels % alignment(outer, lanes):
            continue
        # Where groups are whole vectors a tile stays in one group, else in a period.
        period = (outer if outer % lanes == 0 else alignment(outer, lanes)) // lanes
        if outer % lanes and period > _MOST_UNROLLED:
            continue
        for vectors in range(1, period + 1):
            for pixels in range(1, 17):
                # Inputs stay in registers where the next tap of the kernel uses them again.
                inputs = 1 if taps == 1 else pixels
                registers = pixels * vectors + vectors + inputs
                tile = Tile(pixels, vectors, lanes)
                fits = registers <= device.vector_registers and on_stack(tile)
                if period % vectors == 0 and fits:
                    yield tile


def _efficiency(tile: Tile, outer: int, device: Device) -> float:
    """Return the share of the peak that a tile can reach.

    As for a dense tile two loads go with two multiply-adds a cycle; but a vector in several
    groups needs a value of each, and instructions that put them together.
    """
    period = alignment(outer, tile.lanes)
    cycles = sums = 0
    for start in range(0, max(period, tile.channels), tile.channels):
        firsts = range(start, start + tile.channels, tile.lanes)
        spans = [(first // outer, (first + tile.lanes - 1) // outer) for first in firsts]
        values = len({group for span in spans for group in range(span[0], span[1] + 1)})
        joined = sum(last - first for first, last in set(spans))
        work = tile.pixels * tile.vectors
        loads = tile.pixels * values + tile.vectors
        cycles += max(work + tile.pixels * joined, loads + tile.pixels * joined, CHAINS)
        sums += work
    return sums / cycles * tile.lanes / device.lanes


def diagonal_tiles(width: int, size: int, channels: int, device: Device) -> list[Tile]:
    """Return tiles for groups of ``size`` inputs and outputs, several of which fill a vector.

    Best first; none where no vector is so filled, or the registers do not hold the sums of one
    pixel.
    """
    for lanes in (device.lanes, device.lanes // 2, device.lanes // 4):
        most = (device.vector_registers - size - 1) // size
        if lanes >= 4 and 1 < size < lanes and lanes % size == 0 == channels % lanes and most > 0:
            return ranked(
                (Tile(n, 1, lanes) for n in range(1, most + 1)),
                lambda tile: (
                    filled(width, tile.pixels)
                    * min(1, tile.pixels * size / CHAINS)
                    # Two pixels share the weights.
                    * min(1, 0.8 * tile.pixels)
                ),
                lambda tile: -tile.pixels,
            )
    return []


def _apply(function: PrimFunc, device: Device, policy: Policy) -> Schedule | None:
    """Accumulate a tile of pixels and channels in registers over the channels of a group.

    Pattern: a block ``grouped`` or ``grouped_diagonals``, what pads its input, and element-wise
    blocks after it.

    The taps of a row of the kernel are unrolled: neighbouring pixels share inputs, which then
    stay in registers. A map is cut into strips of rows and channels, each of which first copies
    its input with the zeros around it, so that the inner loops have no conditions; lying close
    together it also keeps out of its own way in the cache.
    """
    sch = Schedule(function)
    found = find_tiled(sch, ("grouped", "grouped_diagonals"))
    if found is None:
        return None
    main, tile = found
    diagonals = sch.get(main).name_hint == "grouped_diagonals"
    outer = int(sch.get(main).annotations["tvmlcnn.outer"])
    sch.unannotate(main, "tvmlcnn.outer")
    output = inline_epilogue(sch, main)
    spread(sch, output, device)
    flat = len(sch.get(main).iter_vars) == 5
    if flat:
        flatten_pixels(sch, output)
    *far, width, channel = sch.get_loops(output)
    # Where a vector's lane decides about its group, code is made for each tile of a period.
    period = 1 if diagonals else max(1, alignment(outer, tile.lanes) // tile.channels)
    decisions = policy.of("grouped", tile.workload)
    block, piece, vectors, lanes = sch.split(channel, [None, period, tile.vectors, tile.lanes])
    several = max(1, max(outer, 4 * tile.lanes) // (period * tile.channels))
    several = scaled(several, int(sch.get(block).extent), decisions.choose("strip", SCALES))
    strip, block = sch.split(block, [None, largest_divisor(int(sch.get(block).extent), several)])
    most = scaled(_ROWS if far else _TILES, _MOST, decisions.choose("rows", SCALES))
    far, near, width = _rows(sch, far, width, tile, most)
    width, pixels = sch.split(width, [None, tile.pixels])
    sch.reorder(*far, strip, block, piece, *near, width, pixels, vectors, lanes)
    sch.compute_at(main, width, preserve_unit_loops=True)
    reduction = _accumulate(sch, main, tile, diagonals)
    for loop in (piece, pixels, vectors):
        sch.unroll(loop)
    sch.vectorize(lanes)
    parallel = sch.fuse(*far, strip)
    for pad in sch.get_producers(main):
        if sch.get(pad).name_hint == "pad":
            sch.compute_at(pad, parallel)
            vectorize(sch, pad, device)
    sch.parallel(parallel)
    sch.decompose_reduction(main, reduction)
    return sch


def _accumulate(sch: Schedule, main: SBlockRV, tile: Tile, diagonals: bool) -> LoopRV:
    """Order the loops of a tile; return the outermost of its reduction."""
    (*pixels, channel), reduced = inner_loops(sch, main)
    if diagonals:
        channel = sch.fuse(pixels.pop(), channel)  # the groups and their channels
    vectors, lanes = sch.split(channel, [None, tile.lanes])
    sch.reorder(*reduced, *pixels, vectors, lanes)
    # Of a diagonal all taps, else those of a row of the kernel.
    for loop in (*(reduced if diagonals else reduced[2:]), *pixels, vectors):
        sch.unroll(loop)
    sch.vectorize(lanes)
    return reduced[0]


def _rows(
    sch: Schedule, far: list[LoopRV], width: LoopRV, tile: Tile, most: int
) -> tuple[list[LoopRV], list[LoopRV], LoopRV]:
    """Split the rows of a map, or the pixels where they are one row, into strips."""
    if not far:
        tiles = -(-int(sch.get(width).extent) // tile.pixels)
        strips, width = sch.split(width, [None, largest_divisor(tiles, most) * tile.pixels])
        return [strips], [], width
    *batch, height = far
    height, near = sch.split(height, [None, largest_divisor(int(sch.get(height).extent), most)])
    return [*batch, height], [near], width


GROUPED = Rule("grouped", _apply)
