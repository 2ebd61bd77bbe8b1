"""Dense convolutions, pointwise ones above all, and products with a matrix of weights."""

from __future__ import annotations

import math

from tvm.s_tir import Schedule
from tvm.s_tir.schedule import LoopRV, SBlockRV
from tvm.tirx import IterVar, PrimFunc

from tvmlcnn.ops import Tile
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
    vectorize_copy,
)
from .padding import skip_padding, without_borders
from .prefetch import LINE, prefetch_weights
from .tiles import SCALES, largest_divisor, scaled, second_cache, tiles_in_a_row

# Steps of a reduction that are unrolled at most: with more LLVM takes the loads too far ahead.
_SHORT = (4, 1, 2, 8)
# Steps of a reduction between two fetches of weights where the sums are in memory.
_CHUNK = 64
# Pixels for each lane of a vector that are so few that their weights are fetched ahead.
_FEW = 20


def _apply(function: PrimFunc, device: Device, policy: Policy) -> Schedule | None:
    """Accumulate a tile of pixels and channels in registers over the whole reduction.

    Pattern: a block ``dense`` over packed weights, what pads its input, and element-wise blocks
    after it.

    A tile's weights are read as vectors that every one of its pixels uses, a pixel's value as a
    broadcast that every one of its vectors uses. Many tiles of pixels in a row use the same
    weights while they are in the first cache, and then the next weights the same pixels while
    those are in the second; where they are few they fetch the weights that come next. The epilogue
    works on the registers. What a prologue makes of the pixels is kept in a panel.

    Where the first cache holds all weights, as it does those of a network's first layer, there is
    little work for a pixel that is read: no padded copy is made then, and taps in the padding are
    left out.
    """
    sch = Schedule(function)
    found = find_tiled(sch, ("dense",))
    if found is None:
        return None
    main, tile = found
    row_tiles = _row_tiles(sch, main, tile, device)
    if row_tiles:
        sch = Schedule(skip_padding(sch.mod["main"], "dense"))
        main = sch.get_sblock("dense")
    decisions = policy.of("dense", tile.workload)
    output = inline_epilogue(sch, main)
    spread(sch, output, device)
    flatten_pixels(sch, output)
    row, channel = sch.get_loops(output)
    block, vectors, lanes = sch.split(channel, [None, tile.vectors, tile.lanes])
    rows, pixels = sch.split(row, [None, tile.pixels])
    panels = [b for b in sch.get_producers(main) if sch.get(b).name_hint == "panel"]
    blocks = 1 if panels else int(sch.get(block).extent)
    count = int(sch.get(rows).extent)
    near = row_tiles or scaled(
        tiles_in_a_row(count, blocks, _tile_bytes(sch, main, tile), device),
        count,
        decisions.choose("near", SCALES),
    )
    rows, several = sch.split(rows, [None, near])
    inside = bool(panels) or decisions.choose("outer", ("rows", "channels")) == "rows"
    far = [rows, block] if inside else [block, rows]
    sch.reorder(*far, several, pixels, vectors, lanes)
    large = _depth(sch, main) * tile.channels * 4 > second_cache(device) // 2
    loops = len(sch.get(main).iter_vars) - 2
    deep = large if loops == 1 or row_tiles else decisions.choose("deep", (large, not large))
    sch.compute_at(main, far[-1] if deep else several, preserve_unit_loops=True)
    (near_pixels, near_channel), reduced = inner_loops(sch, main)
    near_tiles, near_pixels = sch.split(near_pixels, [None, tile.pixels])
    near_vectors, near_lanes = sch.split(near_channel, [None, tile.lanes])
    # Weights that not even the second cache holds serve all tiles a piece at a time.
    inner = list(reduced[-1:] if deep else reduced)
    pieces = reduced[: len(reduced) - len(inner)]
    sch.reorder(*pieces, near_tiles, *inner, near_pixels, near_vectors, near_lanes)
    serves = near_tiles if deep else several
    count = int(sch.get(serves).extent)
    # A single tile reads its weights as they come.
    few = count > 1 and count * tile.pixels <= _FEW * device.lanes
    fetches = not row_tiles and decisions.choose("prefetch", (few, not few))
    short = _short(sch, inner, _SHORT[0] if loops == 1 else decisions.choose("unroll", _SHORT))
    chunk, depth = 1, len(inner)
    if fetches and not short:
        most = _CHUNK if deep else LINE * count // tile.channels
        chunk = largest_divisor(int(sch.get(inner[-1]).extent), max(1, most))
        # Where the sums are in memory, a fetch ends what LLVM keeps of them in registers.
        fetches = not deep or chunk >= _CHUNK // 4
    if fetches and chunk > 1:
        inner[-1:] = sch.split(inner[-1], [None, chunk])
    steps = 1 if short else decisions.choose("steps", _steps(sch, inner[-1]))
    if steps > 1:
        inner[-1:] = sch.split(inner[-1], [None, steps])
        short = inner[-1:]
    reduced = [*pieces, *inner]
    for loop in (*short, near_pixels, near_vectors, pixels, vectors):
        sch.unroll(loop)
    if row_tiles:
        without_borders(sch, several)
    sch.vectorize(near_lanes)
    sch.vectorize(lanes)
    for source in sch.get_producers(main):
        if source not in panels:
            for prologue in sch.get_producers(source):
                sch.compute_inline(prologue)
            vectorize_copy(sch, source, device)
    parallel = rows if panels else sch.fuse(*far)
    for panel in panels:
        sch.compute_at(panel, rows)
        vectorize(sch, panel, device)
    sch.parallel(parallel)
    sch.decompose_reduction(main, reduced[0])
    if fetches:
        fetching = inner[:depth] if chunk > 1 else inner
        prefetch_weights(sch, main, serves, fetching, tile.channels * chunk)
    return sch


def _row_tiles(sch: Schedule, main: SBlockRV, tile: Tile, device: Device) -> int:
    """Return how many tiles make a row of a map whose padding can be left out; else 0."""
    if not any(sch.get(block).name_hint == "pad" for block in sch.get_producers(main)):
        return 0
    (store,) = sch.get_consumers(main)
    _, _, width, channels = (int(v.dom.extent) for v in sch.get(store).iter_vars)
    light = _depth(sch, main) * channels * 4 <= device.caches[0]
    return width // tile.pixels if light and width % tile.pixels == 0 else 0


def _short(sch: Schedule, reduced: list[LoopRV], most: int) -> list[LoopRV]:
    """Return the inner loops of a reduction of at most so many steps; one loop stays."""
    steps = 1
    for number, loop in reversed(list(enumerate(reduced))):
        steps *= int(sch.get(loop).extent)
        if steps > most or number == 0:
            return reduced[number + 1 :]
    return []


def _steps(sch: Schedule, loop: LoopRV) -> list[int]:
    """Return how many steps of a loop may be unrolled, which is left to LLVM by default."""
    return [steps for steps in (1, 2, 4) if int(sch.get(loop).extent) % steps == 0]


def _tile_bytes(sch: Schedule, main: SBlockRV, tile: Tile) -> int:
    """Return the bytes of input that a tile reads and no other tile."""
    block = sch.get(main)
    rows = int(block.iter_vars[0].dom.extent)
    data = math.prod(int(n) for n in block.reads[0].source.shape)
    return max(1, min(_depth(sch, main), data // rows)) * tile.pixels * 4


def _depth(sch: Schedule, main: SBlockRV) -> int:
    """Return the steps of the reduction."""
    return math.prod(
        int(v.dom.extent) for v in sch.get(main).iter_vars if v.iter_type == IterVar.CommReduce
    )


DENSE = Rule("dense", _apply)
