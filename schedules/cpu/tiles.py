"""Register tiles: which ones a core can hold, how fast each can be, and how options are ranked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tvmlcnn.ops import Tile
from tvmlcnn.targets import FLOAT32, NARROW, Core

T = TypeVar("T")

# Powers of two by which a size may differ from the estimate.
SCALES = (0, -1, 1, -2, 2, 4)
# TVM takes larger buffers from the heap, where LLVM may have to leave them.
_STACK_BYTES = 1 << 10
# Instructions of a loop beside its work: two addresses, a count and a branch.
_LOOP = 4
# No core has the registers for more rows, or vectors a row.
MOST_ROWS, MOST_VECTORS = 16, 8


def ranked(
    options: Iterable[T], worth: Callable[[T], float], second: Callable[[T], float]
) -> list[T]:
    """Return the options by their worth, and by ``second`` where that is equal, best first.

    Those of less than half the best one's worth are left out: no estimate is so far off.
    """
    found = {option: worth(option) for option in options}
    least = max(found.values(), default=0.0) / 2
    return sorted(
        (option for option in found if found[option] >= least),
        key=lambda option: (-found[option], -second(option)),
    )


def scaled(size: int, most: int, power: int) -> int:
    """Return a size times a power of two, between 1 and ``most``."""
    return min(most, max(1, size << power if power >= 0 else size >> -power))


def filled(size: int, tile: int) -> float:
    """Return the share of computed elements that are wanted."""
    return size / (-(-size // tile) * tile)


def candidates(channels: int, core: Core, steps: float = 1) -> Iterator[Tile]:
    """Yield the tiles that registers hold, whose vectors divide the channels.

    Parameters
    ----------
    channels : int
    core : Core
    steps : float
        Of the reduction that one load brings the values of.
    """
    for lanes in core.vectors():
        if channels % lanes:
            continue
        for vectors in range(1, MOST_VECTORS + 1):
            for rows in range(1, MOST_ROWS + 1):
                # LLVM loads the values of all rows first where each is used only once.
                values = rows if vectors == 1 or steps > 1 else 1
                tile = Tile(rows, vectors, lanes)
                sums = rows * vectors * core.registers_of(lanes)
                registers = sums + vectors + values + core.arithmetic.multiply_add.scratch
                by_lane = steps == 1 or rows <= core.arithmetic.multiply_add.lane_rows
                if registers <= core.free_registers and by_lane and on_stack(tile, core):
                    yield tile


def on_stack(tile: Tile, core: Core) -> bool:
    """Tell whether TVM has the sums of a tile on the stack, from where LLVM takes them."""
    sums = tile.pixels * tile.channels
    bytes = sums * FLOAT32.bytes if core.element.name in NARROW else core.bytes(sums)
    return bytes < _STACK_BYTES


def multiply_adds(sums: int, loads: float, core: Core, more: float = 0) -> float:
    """Return how long a step of a reduction takes, in multiply-adds of a vector.

    Parameters
    ----------
    sums : int
        Vectors that each get a multiply-add.
    loads : float
        Loads of weights, and of values, that go with them.
    more : float
        Instructions that take as long as a load, or if negative, loads that are no instruction.
    """
    rate = core.arithmetic.multiply_adds / core.arithmetic.loads
    work = sums + (loads + more) * core.arithmetic.load
    return max(work, loads * rate, core.costs.chains)


def efficiency(tile: Tile, depth: int, core: Core, once: float = 0, steps: float = 1) -> float:
    """Return the share of the peak that a tile can reach.

    Each step of the reduction loads a vector of weights for each of the tile's vectors and
    broadcasts one value for each of its rows, or loads those of several steps. Weights that the
    first cache cannot keep from one tile to the next come from the second. After the reduction the
    sums pass through the epilogue.

    Parameters
    ----------
    tile : Tile
    depth : int
        Steps of the reduction.
    core : Core
    once : float
        Multiply-adds that it costs to begin the tile.
    steps : float
        Of the reduction that one load brings the values of.
    """
    costs = core.costs
    sums = tile.pixels * tile.vectors
    more = 0.0
    if steps > 1 and costs.issues:
        # The weights of several steps lie together: an instruction loads two vectors of them, or
        # all that a step takes.
        loads = loads_together(tile, 2, core)
        at_once = core.loads_at_once(tile.vectors, sums + tile.pixels)
        instructions = 1 if at_once else tile.vectors / 2
        more = _LOOP / steps / loads + instructions - tile.vectors
    step = multiply_adds(sums, tile.pixels / steps + tile.vectors, core, more)
    if core.bytes(depth * tile.channels) > core.first_cache * costs.kept:
        step = max(step, tile.channels / (core.lanes * costs.second_cache_vectors))
    step += (costs.epilogue * sums + costs.tile + once) / depth
    return sums / step * tile.lanes / core.lanes


def loads_together(tile: Tile, loads: int, core: Core) -> int:
    """Return how many loads of each row's values a loop makes before it goes on.

    Two take half as many steps of the loop, but registers for what LLVM loads ahead.

    Parameters
    ----------
    tile : Tile
    loads : int
        That a sum takes.
    core : Core
    """
    taken = tile.pixels * tile.vectors + tile.vectors + tile.pixels
    spare = core.free_registers - taken >= core.costs.ahead_registers
    return 2 if spare and loads % 2 == 0 else 1


def largest_divisor(number: int, most: int) -> int:
    """Return the largest divisor of ``number`` that is at most ``most``."""
    return max(n for n in range(1, most + 1) if number % n == 0)


def power_of_two_divisor(number: int, most: int) -> int:
    """Return the largest power of two that divides ``number`` and is at most ``most``."""
    return min(number & -number, 1 << most.bit_length() - 1)
