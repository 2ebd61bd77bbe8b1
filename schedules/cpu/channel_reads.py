"""How the channels that a convolution reads are loaded, where they lie apart.

After ShuffleNet's splits and shuffles a convolution reads runs of channels of several planes. In
which order it sums them is free: in the order in which they lie, several of a run are one load.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvmlcnn.targets import CODES, Core

# More multiply-adds than so much of the reduction cost more than the loads that they save.
_MOST_TWICE = 1 / 24


@dataclass(frozen=True)
class ChannelReads:
    """The steps of a reduction over channels that lie apart.

    Attributes
    ----------
    order : numpy.ndarray
        Shape (steps of the reduction,): which of the channels that are read each step multiplies.
    share : numpy.ndarray
        Shape (steps of the reduction,): what share of the channel's product a step adds.
    a_load : int
        Steps whose channels lie one after the other, from each multiple of it on.
    """

    order: np.ndarray
    share: np.ndarray
    a_load: int


def channel_reads(reads: np.ndarray, wide: int, core: Core) -> ChannelReads:
    """Return how channels are read.

    Parameters
    ----------
    reads : numpy.ndarray
        Shape (K,): the channels, counted through planes of ``wide`` channels.
    wide : int
    core : Core

    Returns
    -------
    ChannelReads
        Where the loads of a run do not divide it, the last one overlaps with the one before. A
        channel in both is added twice with half its weight, which a number of any size survives;
        a weight of zero would make an infinite value none.
    """
    most = core.steps_of_a_load(core.lanes) if core.element.name not in CODES else 1
    order = np.argsort(reads, kind="stable")
    lying = reads[order]
    cuts = np.flatnonzero((np.diff(lying) != 1) | (lying[1:] % wide == 0)) + 1
    runs = np.split(order, cuts)
    while most > 1:
        steps = [_covered(run, most) for run in runs]
        twice = sum(len(each) for each in steps) - len(reads)
        if min(map(len, runs)) >= most and twice <= _MOST_TWICE * len(reads):
            together = np.concatenate(steps)
            counts = np.bincount(together, minlength=len(reads))
            return ChannelReads(together, 1 / counts[together], most)
        most //= 2
    return ChannelReads(np.arange(len(reads)), np.ones(len(reads)), 1)


def _covered(run: np.ndarray, load: int) -> np.ndarray:
    """Return the channels of a run as loads bring them."""
    starts = [*range(0, len(run) - load, load), max(0, len(run) - load)]
    return np.concatenate([run[start : start + load] for start in starts])
