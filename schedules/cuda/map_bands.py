"""How a GPU's blocks share the map between a pointwise and a depthwise convolution, and if at all.

The map between is never whole: a block has a band of its rows, and some channels, in shared memory.
Rows that two bands read are computed for both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tvmlcnn.ops import Banding, Tile
from tvmlcnn.ops.pointwise_depthwise import band_rows
from tvmlcnn.targets import FLOAT32, Gpu

from ..layer import PointwiseDepthwise
from .blocks import LANES
from .threads import LAUNCH, SCHEDULERS, WARP

_LEAST, _MOST = 96, 512
# Vectors of channels of a block: two are a sector of memory, eight a line of the first cache.
_VECTORS = (2, 3, 4, 5, 6, 8, 9, 10, 12, 16)
_ROWS, _COLUMNS, _PIXELS = (1, 2, 3, 4), (1, 2, 3, 4, 7), (2, 4, 6, 7, 8)
# Taps of a kernel of which a thread loads the whole window first, and that are taken at all.
_WHOLE, _MOST_TAPS = 9, 49
# Registers of a thread beside its sums and what it multiplies, and what it may have of them all.
_OTHER_REGISTERS, _REGISTERS = 24, 128
# Instructions of a load, with its share of addresses, and of a thread's round beside them.
_LOAD, _ROUND = 2, 60
# Warps of a scheduler that hide each other's latency.
_BUSY_WARPS = 2
# Of kernels on their own: instructions beside multiply-adds, as counted in code for them.
_POINTWISE, _DEPTHWISE = 1.35, 2.0
# Bytes that a multiprocessor gets from the second cache and from memory in a cycle: T4 has 320 GB/s
# for 40 at 1.59 GHz, and three times as much from the second cache.
_L2_BYTES, _MEMORY_BYTES = 15, 5
# What one kernel is to gain, so that errors of these estimates do not decide.
_MARGIN = 1.15
# Options that are worth a search.
_OPTIONS = 64


@dataclass(frozen=True)
class Bands:
    """What a block and its threads compute.

    Attributes
    ----------
    banding : Banding
        Rows and channels of a block. Its pointwise tile is what all threads sum up in a round; the
        pixels of its depthwise tile are the columns of a thread's tile.
    rows : int
        Of the depthwise tile of a thread, which divide those of a band.
    pixels : int
        Of the pointwise tile of a thread.
    down, across : int
        Threads along the rows and the columns of a band, which divide its depthwise tiles.
    steps : int
        Input channels that are loaded at a time.
    whole : bool
        Whether a thread loads the whole window of its depthwise tile before it multiplies, not one
        row of the kernel at a time.
    """

    banding: Banding
    rows: int
    pixels: int
    down: int
    across: int
    steps: int
    whole: bool

    @property
    def threads(self) -> int:
        """Of a block: the same for each round of either convolution."""
        return self.down * self.across * (self.banding.channels // LANES)


def map_bands(layer: PointwiseDepthwise, device: Gpu) -> list[Bands]:
    """Return bands, those of the fewest cycles first; none where there are no whole vectors."""
    options = {bands: _together(bands, layer, device) for bands in _candidates(layer, device)}
    return sorted(options, key=options.__getitem__)[:_OPTIONS]


def pays(bands: Bands, layer: PointwiseDepthwise, device: Gpu) -> bool:
    """Tell whether one kernel is faster than two, which write and read what is between."""
    return _together(bands, layer, device) * _MARGIN < _apart(layer, device)


def _candidates(layer: PointwiseDepthwise, device: Gpu) -> Iterator[Bands]:
    inner, channels = layer.weight.shape
    taps = layer.kernel.shape[:2]
    _, height, width, _ = layer.shape
    steps = next((n for n in (4, 2) if inner % n == layer.data[3] % n == 0), 0)
    if channels % LANES or not steps or math.prod(taps) > _MOST_TAPS:
        return
    most = min(_MOST, device.registers_of_block // _REGISTERS)
    # Bands are of one size: TVM finds no places of rows that the last one has not.
    for size in (n for n in range(1, height + 1) if height % n == 0):
        piece = min(layer.data[1], band_rows(size, taps[0], layer.window)) * layer.data[2]
        for vectors in (n for n in _VECTORS if channels // LANES % n == 0):
            for rows in (n for n in _ROWS if size % n == 0):
                for columns in _COLUMNS:
                    if columns > width or not _fits(layer, rows, columns):
                        continue
                    for down, across in _shares(size // rows, -(-width // columns)):
                        groups = down * across
                        if not _LEAST <= groups * vectors <= most:
                            continue
                        for pixels in _PIXELS:
                            whole = pixels * groups
                            shared = -(-piece // whole) * whole * vectors * LANES * FLOAT32.bytes
                            if shared <= device.shared_bytes:
                                banding = Banding(
                                    size,
                                    vectors * LANES,
                                    Tile(whole, vectors, LANES),
                                    Tile(columns, 1, LANES),
                                )
                                yield Bands(
                                    banding,
                                    rows,
                                    pixels,
                                    down,
                                    across,
                                    steps,
                                    math.prod(taps) <= _WHOLE,
                                )


def _shares(down: int, across: int) -> Iterator[tuple[int, int]]:
    """Yield how many of the tiles of a band are computed at a time: whole rows, or parts of one."""
    for rows in range(1, down + 1):
        if down % rows == 0:
            yield rows, across
    for part in range(1, across):
        if across % part == 0:
            yield 1, part


def _fits(layer: PointwiseDepthwise, rows: int, columns: int) -> bool:
    """Tell whether registers hold what a thread loads at a time of a window, weights and sums."""
    taps = layer.kernel.shape[:2]
    wide, sums = _read(columns, 1, layer), rows * columns
    if math.prod(taps) <= _WHOLE:
        # A window passes through row by row, whatever the order of the loads.
        kept = 2 * wide + math.prod(taps) + sums
    else:
        kept = ((rows - 1) * layer.window.strides[0] + 1) * wide + taps[1] + sums
    return kept * LANES + _OTHER_REGISTERS <= _REGISTERS


def _read(outputs: int, axis: int, layer: PointwiseDepthwise) -> int:
    """Return how many places along an axis so many outputs read."""
    window = layer.window
    return (
        (outputs - 1) * window.strides[axis]
        + (layer.kernel.shape[axis] - 1) * window.dilation[axis]
        + 1
    )


def _together(bands: Bands, layer: PointwiseDepthwise, device: Gpu) -> float:
    """Return the cycles of one kernel."""
    banding, (inner, channels) = bands.banding, layer.weight.shape
    taps = math.prod(layer.kernel.shape[:2])
    columns, pixels = banding.depthwise.pixels, bands.pixels
    piece = min(layer.data[1], band_rows(banding.rows, layer.kernel.shape[0], layer.window))
    rounds = -(-piece * layer.data[2] // banding.pointwise.pixels)
    step = pixels * LANES + _LOAD * (pixels / bands.steps + 1)
    work = rounds * (inner * step + 3 * pixels * LANES + _ROUND)
    tiles = banding.rows // bands.rows * -(-layer.shape[2] // columns)
    rounds = tiles * (banding.channels // LANES) // bands.threads
    down = _read(bands.rows, 0, layer) if bands.whole else bands.rows * layer.kernel.shape[0]
    reads = down * _read(columns, 1, layer)
    sums = bands.rows * columns
    work += rounds * ((taps + 2) * sums * LANES + _LOAD * (2 * reads + taps + sums) + _ROUND)
    warps = -(-bands.threads // WARP)
    count = layer.shape[0] * -(-layer.shape[1] // banding.rows) * (channels // banding.channels)
    each = -(-count // device.multiprocessors)
    bytes = banding.pointwise.pixels * rounds * banding.channels * FLOAT32.bytes
    resident = min(
        device.shared_of_multiprocessor // max(1, bytes),
        device.registers // (_REGISTERS * warps * WARP),
        each,
    )
    busy = min(1.0, max(1, resident) * warps / SCHEDULERS / _BUSY_WARPS)
    # Each block reads all channels of its rows, and all steps of its weights.
    read = count * FLOAT32.bytes * inner * (piece * layer.data[2] + banding.channels)
    once = FLOAT32.bytes * inner * (math.prod(layer.data[:3]) + channels)
    again = max(0, read - once) / _L2_BYTES / device.multiprocessors
    return each * warps * work / SCHEDULERS / busy + again


def _apart(layer: PointwiseDepthwise, device: Gpu) -> float:
    """Return the cycles of two kernels, and of what is between them."""
    inner, channels = layer.weight.shape
    map_ = math.prod(layer.data[:3]) * channels
    taps = math.prod(layer.kernel.shape[:2])
    # By tensor cores where these multiply it; here, between two barriers, they do not.
    lanes = device.lanes_of_multiprocessor
    gain = max(1.0, device.products_at_once(device.multiplied(layer.element)) / lanes)
    work = _POINTWISE * map_ * inner / gain + _DEPTHWISE * math.prod(layer.shape) * taps
    bytes = 2 * map_ * FLOAT32.bytes
    rate = _L2_BYTES if bytes < device.l2_bytes else _MEMORY_BYTES
    cycles = work / WARP / SCHEDULERS + bytes / rate
    return cycles / device.multiprocessors + LAUNCH
