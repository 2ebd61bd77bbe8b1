"""How many products of codes may be added in 16 bits, whatever the codes are.

One instruction then brings what several products sum up to to sums of 32 bits. Products of a code
and weights that are together `LARGEST_SUM` at most, regardless of their signs, fit.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tvmlcnn.ops import place_of_pairs
from tvmlcnn.targets import LARGEST_SUM, Core, MultiplyAdd

# Sums of a vector of 128 bits.
_LANES = 4


def instruction_of(core: Core, inner: int, weight: np.ndarray) -> MultiplyAdd:
    """Return what multiplies inner channels: one at a time, where several do not divide them.

    Parameters
    ----------
    core : Core
    inner : int
    weight : numpy.ndarray
        Shape (..., inner, outer).
    """
    usual = core.arithmetic.multiply_add
    one = replace(usual, products=1, widened="", paired=0)
    if inner % usual.products:
        return one
    if usual.paired:
        products = math.gcd(inner, core.elements)
        run = _run_of_dense(weight, products)
        return replace(usual, products=products, paired=run) if run else one
    return usual


def _run_of_dense(weight: np.ndarray, products: int) -> int:
    """Return how many products of a lane may be added up, of weights that are packed in pairs.

    They are 2, 4 or 8, as many as half of 4, 8 or 16 products at most; 0 where not even two fit.
    """
    outer = weight.shape[-1]
    sizes = np.abs(weight.astype(np.int32)).reshape(-1, products, outer)
    channel, one = np.indices((outer, products))
    for run in (8, 4, 2):
        if 2 * run > products:
            continue
        several, _, turn, _, of_pair = place_of_pairs(channel, one, products, _LANES, run)
        placed = np.empty((len(sizes), outer, products // 2 // run, run, 2), np.int32)
        placed[:, channel, several, turn, of_pair] = sizes.swapaxes(1, 2)
        if placed.sum(3).max(initial=0) <= LARGEST_SUM:
            return run
    return 0


def run_of_taps(weight: np.ndarray) -> int:
    """Return how many products of taps may be added up that lie one after the other.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (taps, channels).

    Returns
    -------
    int
        As few as make the fewest runs; 0 where not even two always fit.
    """
    taps = len(weight)
    sizes = np.abs(weight.astype(np.int32))
    for runs in range(1, -(-taps // 2) + 1):
        run = -(-taps // runs)
        if np.add.reduceat(sizes, range(0, taps, run)).max(initial=0) <= LARGEST_SUM:
            return run
    return 0
