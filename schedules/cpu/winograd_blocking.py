"""When Winograd's filtering pays, and how it is cut: an estimate from a device's figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tvmlcnn.ops import Blocking, Tile, filtering_of
from tvmlcnn.targets import INT16, NARROW, Core, Cpu, ElementType

from .paired_tiles import instructions_of_sums, paired_tiles
from .runs import instruction_of
from .tiles import candidates, efficiency, filled, power_of_two_divisor, ranked


@dataclass(frozen=True)
class Choice:
    """Ways to cut a 3x3 convolution, best first, and whether the best one is worth it."""

    blockings: list[Blocking]
    pays: bool


def winograd_choice(
    shape: tuple[int, int, int],
    inner: int,
    outer: int,
    device: Cpu,
    element: ElementType,
    stride: int = 1,
    step: float = 1,
) -> Choice | None:
    """Return the ways to cut a 3x3 convolution, or None where there is none.

    Parameters
    ----------
    shape : tuple of int
        Batch, height and width of the output.
    inner, outer : int
        Channels of the input and of the output.
    device : Cpu
    element : ElementType
        Of what is multiplied.
    stride : int
        Of the convolution, 1 or 2.
    step : float
        What the convolution as it is takes for a multiply-add, in those of the element's type.
    """
    core = device.core(element)
    lanes = power_of_two_divisor(inner, core.elements)
    if lanes < min(core.vectors()):
        return None
    batch, height, width = shape
    weights = core.bytes(inner * outer) * balance(device, core)
    direct = 9 * (step * batch * height * width * inner * outer + weights)

    ways = _ways(core, stride)

    def cost(blocking: Blocking) -> tuple[float, int]:
        """Return what it costs in multiply-adds; as few blocks as possible where all is equal."""
        steps = list(ways).index(blocking.outputs) + 1
        tile, way = blocking.registers, filtering_of(blocking.outputs, stride)
        blocks = -(-_tiles(shape, blocking.outputs) // blocking.block)
        tiles = blocks * blocking.block
        products = tiles * inner * outer / filled(outer, tile.channels)
        registers = inner / lanes + outer / tile.lanes * core.registers_of(tile.lanes)
        values = tiles * registers * core.lanes / core.registers_of(core.lanes)
        pieces = blocks if blocks > 1 else -(-outer // tile.channels)
        imbalance = -(-pieces // core.count) * core.count / pieces
        transforms = values * core.costs.transform * ways[blocking.outputs]
        rate = efficiency(tile, inner, core, steps=core.steps_of_a_load(inner))
        work = (products / rate + transforms) * imbalance
        whole = way.points**2 * work + len(way.weights) ** 2 * weights
        return whole * core.costs.winograd_margin**steps, blocks

    blockings = ranked(
        _blockings(shape, inner, outer, core, stride),
        lambda blocking: direct / cost(blocking)[0],
        lambda blocking: -cost(blocking)[1],
    )
    return Choice(blockings, cost(blockings[0])[0] < direct) if blockings else None


def direct_step(weight: np.ndarray, rows: int, core: Core) -> float:
    """Return what multiplying codes takes, in multiply-adds of one product a lane of 16 bits.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (rows, columns, inner, outer).
    rows : int
        Pixels of the output.
    core : Core
        As it multiplies codes, in pairs.
    """
    *taps, inner, outer = weight.shape
    instruction = instruction_of(core, inner, weight)
    if not instruction.paired:
        return 1
    depth = math.prod(taps) * inner
    steps = depth // instruction.products
    tile = paired_tiles(rows, steps, outer, instruction, core)[0]
    whole = filled(rows, tile.pixels) * filled(outer, tile.channels)
    return instructions_of_sums(tile, steps, instruction, core) / depth / whole


def _tiles(shape: tuple[int, int, int], outputs: int) -> int:
    batch, height, width = shape
    return batch * -(-height // outputs) * -(-width // outputs)


def _blockings(
    shape: tuple[int, int, int], inner: int, outer: int, core: Core, stride: int
) -> Iterator[Blocking]:
    for outputs in _ways(core, stride):
        count = _tiles(shape, outputs)
        # What is larger, the weights or the transformed input, passes through the cache once.
        most = count
        if outer < count:
            tile_bytes = core.bytes(filtering_of(outputs, stride).points ** 2 * inner)
            most = max(core.costs.winograd_tiles, core.second_cache // 2 // tile_bytes)
        fewest = -(-count // most)
        for tile in candidates(outer, core, core.steps_of_a_load(inner)):
            for blocks in range(fewest, fewest + (1 if most == count else 2 * core.count)):
                block = _whole(-(-count // blocks), tile)
                if _nests(block, count, count // shape[0]):
                    yield Blocking(outputs, tile, block)


def _ways(core: Core, stride: int) -> dict[int, float]:
    """Return the outputs of a tile along each side, and what the transforms of a point take."""
    ways = {
        outputs: cost for step, outputs, cost in core.costs.winograd_transforms if step == stride
    }
    if core.element.name in NARROW:
        # What the transforms add up is 16 times as large as their input, and a hundred times.
        return {outputs: ways[outputs] for outputs in ways if outputs == 2}
    # Codes have no halves to be multiplied by.
    whole = core.element != INT16
    return {
        n: cost for n, cost in ways.items() if whole or filtering_of(n, stride).whole is not None
    }


def _nests(block: int, count: int, one: int) -> bool:
    """Tell whether blocks of tiles are of whole maps, or maps of whole blocks.

    TVM finds no other way through the tiles of several maps.
    """
    return block >= count or one == count or block % one == 0 or one % block == 0


def _whole(tiles: int, tile: Tile) -> int:
    return -(-tiles // tile.pixels) * tile.pixels


def balance(device: Cpu, core: Core) -> float:
    """Return how many multiply-adds the device does while a byte of the weights is read.

    The weights of a network come from memory, of which half the nominal bandwidth can be had.
    """
    if device.peak_gflops and device.bandwidth_gbs:
        return (device.peak_gflops / 2) / (device.bandwidth_gbs / 2)
    return core.lanes * core.count / core.costs.memory_bytes
