"""How many products of codes may be added in 16 bits, whatever the codes are.

One instruction then brings what several products sum up to to sums of 32 bits. Products of a code
and weights that are together `LARGEST_SUM` at most, regardless of their signs, fit.
"""

from __future__ import annotations

import numpy as np

from tvmlcnn.ops import place_of_pairs
from tvmlcnn.targets import LARGEST_SUM

# Sums of a vector of 128 bits.
_LANES = 4


def run_of_dense(weight: np.ndarray, products: int) -> int:
    """Return how many products of a lane may be added up, of weights that are packed in pairs.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (..., inner, outer).
    products : int
        4, 8 or 16.

    Returns
    -------
    int
        2, 4 or 8, as many as half the products at most; 0 where not even two always fit.
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
