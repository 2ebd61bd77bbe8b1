"""How the loops of a dense kernel are cut: numbers, from its layout and what decides."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tvmlcnn.ops import Tile
from tvmlcnn.targets import Core

from ..decisions import Decisions
from .dense_tiles import tiles_in_a_row
from .tiles import SCALES, largest_divisor, loads_together, scaled

# Steps of a reduction that tuning unrolls at most.
_UNROLLED = (1, 2, 4, 8)
_STEPS = (1, 2, 4)
# Lines of weights that a tile fetches at a time, where an instruction adds several products: it
# ends an unrolled loop. Chosen by measuring the layers of ResNet-50 on Intel's Granite Rapids.
_LINES = 4


@dataclass(frozen=True)
class Layout:
    """What the schedule has to know.

    Attributes
    ----------
    tile : Tile
    rows, channels : int
        Of the product that is stored.
    width : int
        Pixels of a row of the map; 0 of a product.
    kernel : tuple of int
        Extents of the reduction, the input channels last.
    read : int
        Elements of the tensor that is multiplied.
    skippable : bool
        Whether zeros are put around the maps whose taps may be left out.
    panel : bool
        Whether a prologue's results are kept for several blocks of channels.
    products : int
        Codes that an instruction multiplies at a time; the kernel's last extent is of such steps.
    chunked : bool
        Whether chunks of the reduction are summed up by themselves.
    steps : int
        Of the reduction that one load brings the values of.
    along : int
        Values that loads bring for each row of the kernel's taps, which the steps are then; 0
        where the input channels are last in the reduction.
    paired : int
        As of `MultiplyAdd`.
    """

    tile: Tile
    rows: int
    channels: int
    width: int
    kernel: tuple[int, ...]
    read: int
    skippable: bool
    panel: bool
    products: int = 1
    chunked: bool = False
    steps: int = 1
    along: int = 0
    paired: int = 0

    @property
    def depth(self) -> int:
        """Steps of the reduction."""
        return math.prod(self.kernel)


@dataclass(frozen=True)
class Loops:
    """How the loops are cut.

    Attributes
    ----------
    near : int
        Tiles of pixels in a row that use a block of weights before the next one comes.
    skips_padding : bool
        Whether no padded copy is made, and taps in the padding are left out.
    rows_outside : bool
        Whether such rows of tiles are the outer loop, around the blocks of channels.
    deep : bool
        Whether a block's weights, which not even the second cache holds, serve all tiles of a
        row a piece at a time.
    unrolled : int
        How many loops of the reduction, the inner ones, are unrolled whole.
    chunk : int
        Steps of the innermost loop of the reduction between two fetches of weights; 1 for each
        of its steps, or where nothing is fetched.
    fetches : bool
        Whether tiles fetch the weights that come next.
    steps : int
        Steps of the innermost loop that are unrolled, or loads where each brings several's values.
    """

    near: int
    skips_padding: bool
    rows_outside: bool
    deep: bool
    unrolled: int
    chunk: int
    fetches: bool
    steps: int

    @property
    def inner(self) -> int | None:
        """Loops of the reduction inside those over the tiles of a row; None means all."""
        return 1 if self.deep else None


def loops(layout: Layout, core: Core, decisions: Decisions) -> Loops:
    """Return the numbers of a kernel."""
    tile, depth, kernel = layout.tile, layout.depth, layout.kernel
    in_map = _tiles_of_a_map_row(layout, core)
    near = in_map or _near(layout, core, decisions)
    rows_outside = layout.panel or decisions.choose("outer", ("rows", "channels")) == "rows"
    size = core.bytes(depth * layout.products * tile.channels)
    large = size > core.second_cache // 2 and not layout.chunked
    settled = len(kernel) == 1 or in_map or layout.chunked
    deep = large if settled else decisions.choose("deep", (large, not large))
    inner = kernel[-1:] if deep else kernel
    # A single tile reads its weights as they come.
    few = near > 1 and near * tile.pixels <= core.costs.prefetch_pixels * core.lanes
    fetches = not in_map and not layout.chunked and decisions.choose("prefetch", (few, not few))
    # Neighbouring taps read the same pixels, which LLVM would hold beside the sums.
    most = core.costs.unrolled_steps if layout.products == 1 else 1
    if len(kernel) > 1:
        most = decisions.choose("unroll", [most, *(n for n in _UNROLLED if n != most)])
    load = layout.steps
    unrolled = _short(inner, most) if load == 1 else 0
    chunk = 1
    if fetches and not unrolled:
        between = core.costs.prefetch_steps
        weights = tile.channels * layout.products
        line = core.line if layout.products == 1 else _LINES * core.line
        usual = between if deep else line * near // weights
        together = largest_divisor(inner[-1] // load, max(1, usual // load))
        if load > 1 and together == 2:
            # LLVM unrolls a loop of two loads whole, registers or not.
            together = loads_together(tile, together, core)
        chunk = load * together
        # Where the sums are in memory, a fetch ends what LLVM keeps of them in registers.
        fetches = not deep or chunk >= between // 4
    if not fetches:
        chunk = 1
    last = chunk if chunk > 1 else inner[-1]
    steps = 1
    if not unrolled:
        # How many are unrolled is left to LLVM by default, but of those that loads bring.
        usual = loads_together(tile, last // load, core) if load > 1 else 1
        others = [n for n in _STEPS if n != usual and last // load % n == 0]
        steps = decisions.choose("steps", [usual, *others])
    return Loops(near, bool(in_map), rows_outside, deep, unrolled, chunk, fetches, steps)


def _tiles_of_a_map_row(layout: Layout, core: Core) -> int:
    """Return how many tiles make a row of a map whose padding can be left out; else 0.

    Where the first cache holds all weights, as it does those of a network's first layer, there is
    little work for a pixel that is read: a padded copy would cost as much.
    """
    light = core.bytes(layout.depth * layout.channels) <= core.first_cache
    # A load of several steps has no condition for each of them.
    whole = layout.skippable and layout.width % layout.tile.pixels == 0 and layout.steps == 1
    return layout.width // layout.tile.pixels if light and whole else 0


def _near(layout: Layout, core: Core, decisions: Decisions) -> int:
    tile = layout.tile
    count = -(-layout.rows // tile.pixels)
    blocks = 1 if layout.panel else -(-layout.channels // tile.channels)
    # What a tile reads and no other tile.
    own = max(1, min(layout.depth * layout.products, layout.read // (count * tile.pixels)))
    usual = tiles_in_a_row(count, blocks, core.bytes(own * tile.pixels), core)
    near = scaled(usual, count, decisions.choose("near", SCALES))
    if layout.products > 1:
        # TVM puts no instruction where a condition is: rows of tiles are of the same length.
        divisors = [n for n in range(1, count + 1) if count % n == 0]
        near = min(divisors, key=lambda n: max(n / near, near / n))
    return near


def _short(inner: tuple[int, ...], most: int) -> int:
    """Return how many inner loops of a reduction make at most so many steps; one loop stays."""
    steps = 1
    for number, extent in enumerate(reversed(inner)):
        steps *= extent
        if steps > most or number == len(inner) - 1:
            return number
    return 0
