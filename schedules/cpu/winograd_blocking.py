"""When Winograd's filtering pays, and how it is cut: an estimate from a device's figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tvmlcnn.ops import Blocking, Tile
from tvmlcnn.targets import Device

from .tiles import candidates, efficiency, filled, power_of_two_divisor, ranked, second_cache

# A transform costs as much as so many multiply-adds for each value it makes: its additions, the
# copy of the overlapping input, loads and stores.
_TRANSFORM = 8
# Outputs of a tile along each side; the weights grow to 16/9 and to 36/9 of the direct ones.
_OUTPUTS = (2, 4)
# The least gain of each step to larger weights: they take room, and the estimate is rough.
_MARGIN = 1.15
# A block has at least so many tiles, for each weight that is read to be used often enough.
_FEWEST = 24


@dataclass(frozen=True)
class Choice:
    """Ways to cut a 3x3 convolution, best first, and whether the best one is worth it."""

    blockings: list[Blocking]
    pays: bool


def winograd_choice(
    shape: tuple[int, int, int], inner: int, outer: int, device: Device
) -> Choice | None:
    """Return the ways to cut a 3x3 convolution, or None where there is none.

    Parameters
    ----------
    shape : tuple of int
        Batch, height and width of the output.
    inner, outer : int
        Channels of the input and of the output.
    device : Device
    """
    lanes = power_of_two_divisor(inner, device.lanes)
    if lanes < 4:
        return None
    batch, height, width = shape
    direct = 9 * batch * height * width * inner * outer

    def cost(blocking: Blocking) -> tuple[float, int]:
        """Return what it costs in multiply-adds; as few blocks as possible where all is equal."""
        steps = _OUTPUTS.index(blocking.outputs) + 1
        tile, points = blocking.registers, (blocking.outputs + 2) ** 2
        blocks = -(-_tiles(shape, blocking.outputs) // blocking.block)
        tiles = blocks * blocking.block
        products = tiles * inner * outer / filled(outer, tile.channels)
        transforms = tiles * (inner / lanes + outer / tile.lanes) * device.lanes * _TRANSFORM
        pieces = blocks if blocks > 1 else -(-outer // tile.channels)
        imbalance = -(-pieces // device.cores) * device.cores / pieces
        work = (products / efficiency(tile, inner, device) + transforms) * imbalance
        weights = inner * outer * 4 * _balance(device)
        return points * (work + weights) * _MARGIN**steps, blocks

    blockings = ranked(
        _blockings(shape, inner, outer, device),
        lambda blocking: direct / cost(blocking)[0],
        lambda blocking: -cost(blocking)[1],
    )
    return Choice(blockings, cost(blockings[0])[0] < direct) if blockings else None


def _tiles(shape: tuple[int, int, int], outputs: int) -> int:
    batch, height, width = shape
    return batch * -(-height // outputs) * -(-width // outputs)


def _blockings(
    shape: tuple[int, int, int], inner: int, outer: int, device: Device
) -> Iterator[Blocking]:
    for outputs in _OUTPUTS:
        count = _tiles(shape, outputs)
        # What is larger, the weights or the transformed input, passes through the cache once.
        most = count
        if outer < count:
            cache = second_cache(device) // 2
            most = max(_FEWEST, cache // ((outputs + 2) ** 2 * inner * 4))
        fewest = -(-count // most)
        for tile in candidates(outer, device):
            for blocks in range(fewest, fewest + (1 if most == count else 2 * device.cores)):
                yield Blocking(outputs, tile, _whole(-(-count // blocks), tile))


def _whole(tiles: int, tile: Tile) -> int:
    return -(-tiles // tile.pixels) * tile.pixels


def _balance(device: Device) -> float:
    """Return how many multiply-adds the device does while a byte of the weights is read.

    The weights of a network come from memory, of which half the nominal bandwidth can be had;
    without figures, a PC's: 16 bytes in the time of 4 multiply-adds of each lane of a core.
    """
    if device.peak_gflops and device.bandwidth_gbs:
        return (device.peak_gflops / 2) / (device.bandwidth_gbs / 2)
    return 4 / 16 * device.lanes * device.cores
