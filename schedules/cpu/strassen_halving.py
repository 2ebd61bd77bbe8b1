"""When Strassen's algorithm pays, and how it is cut: an estimate from a device's figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvmlcnn.ops import PRODUCTS, Halving, Tile
from tvmlcnn.targets import FLOAT32, Core, Cpu

from .dense_tiles import dense_tiles
from .tiles import candidates, efficiency, filled, power_of_two_divisor, ranked
from .winograd_blocking import balance


@dataclass(frozen=True)
class Choice:
    """Ways to cut a product, best first, and whether the best one is worth it."""

    halvings: list[Halving]
    pays: bool


def strassen_choice(rows: int, inner: int, outer: int, device: Cpu) -> Choice | None:
    """Return the ways to cut a product of (rows, inner) by (inner, outer), or None without one."""
    core = device.core(FLOAT32)
    if rows < 2 or inner % 2 or outer % 2:
        return None
    if power_of_two_divisor(inner // 2, core.elements) < min(core.vectors()):
        return None
    tiles = dense_tiles(rows, inner, outer, core, steps=core.steps_of_a_load(inner))
    if not tiles:
        return None
    count = -(-rows // 2)  # of pairs
    weights = core.bytes(inner * outer) * balance(device, core)

    def rate(tile: Tile, depth: int, rows: int, channels: int) -> float:
        share = efficiency(tile, depth, core, steps=core.steps_of_a_load(depth))
        return share * filled(rows, tile.pixels) * filled(channels, tile.channels)

    direct = rows * inner * outer / rate(tiles[0], inner, rows, outer) + weights

    def cost(halving: Halving) -> tuple[float, int]:
        """Return what it costs in multiply-adds; as few blocks as possible where all is equal."""
        tile = halving.registers
        blocks = -(-count // halving.block)
        pairs = blocks * halving.block
        products = pairs * inner * outer / 4 / rate(tile, inner // 2, pairs, outer // 2)
        pieces = blocks if blocks > 1 else -(-outer // 2 // tile.channels)
        imbalance = -(-pieces // core.count) * core.count / pieces
        transforms = pairs * (inner + outer) / 2 * core.costs.strassen_transform
        return PRODUCTS * ((products + transforms) * imbalance + weights / 4), blocks

    halvings = ranked(
        _halvings(count, inner, outer, core),
        lambda halving: direct / cost(halving)[0],
        lambda halving: -cost(halving)[1],
    )
    return Choice(halvings, cost(halvings[0])[0] < direct) if halvings else None


def _halvings(count: int, inner: int, outer: int, core: Core) -> Iterator[Halving]:
    most = max(1, core.second_cache // 2 // core.bytes(PRODUCTS * inner // 2))
    fewest = -(-count // most)
    for tile in candidates(outer // 2, core, core.steps_of_a_load(inner // 2)):
        for blocks in range(fewest, fewest + 2 * core.count):
            block = -(-count // blocks)
            yield Halving(tile, -(-block // tile.pixels) * tile.pixels)
