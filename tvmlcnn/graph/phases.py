"""Transposed convolutions as convolutions: arithmetic, without a graph.

A transposed convolution with steps of ``s`` adds to the output pixel ``q`` the input pixel ``i``
times the tap ``k`` for all ``i * s + k * dilation == q + padding``. So output pixels whose ``q``
have the same remainder, a *phase*, are a convolution of the input with some of the taps (Shi et
al. 2016, "Is the deconvolution layer the same as a convolutional layer?"); all phases together are
one at the input's resolution, with ``s`` times as many channels, from which pixels are made.

With ``q = m * s + f - crop`` for the pixel ``m`` of phase ``f``, tap ``k`` reads the input pixel
``m + t``, ``t = (f - crop + padding - k * dilation) / s`` where that is whole.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Group:
    """Phases of an axis that are computed together.

    Attributes
    ----------
    phases : tuple of int
    taps : tuple of tuple of int
        Which tap of the kernel each phase has at each place; -1 where it has none.
    start, step : int
        Where the first place is, beside the pixel, and how far the next ones are.
    """

    phases: tuple[int, ...]
    taps: tuple[tuple[int, ...], ...]
    start: int
    step: int

    @property
    def places(self) -> int:
        """How many pixels of the input are read."""
        return len(self.taps[0])


@dataclass(frozen=True)
class Axis:
    """How the phases of an axis are computed.

    Attributes
    ----------
    size : int
        Pixels of each phase.
    crop : int
        How many pixels come before the first that is wanted.
    groups : tuple of Group
    """

    size: int
    crop: int
    groups: tuple[Group, ...]

    @property
    def work(self) -> int:
        """Multiply-adds for a channel, of this axis alone."""
        return self.size * sum(len(group.phases) * group.places for group in self.groups)

    def padding(self, group: Group, size: int) -> tuple[int, int]:
        """Return the zeros before and after an axis of ``size`` pixels, fewer than 0 to cut."""
        last = self.size - 1 + group.start + (group.places - 1) * group.step
        return -group.start, last - (size - 1)


@dataclass(frozen=True)
class Transposed:
    """What is known of an axis of a transposed convolution."""

    size: int
    result: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    def _offsets(self, phase: int, crop: int) -> dict[int, int]:
        """Return the tap of each pixel, beside the output's, that a phase reads."""
        distance = (phase - crop + self.padding - k * self.dilation for k in range(self.kernel))
        return {d // self.stride: k for k, d in enumerate(distance) if d % self.stride == 0}

    def group(self, phases: Sequence[int], crop: int) -> Group:
        """Return phases as one group, which reads the pixels that any of them needs."""
        offsets = [self._offsets(phase, crop) for phase in phases]
        read = sorted(set().union(*offsets)) or [0]
        step = math.gcd(*(t - read[0] for t in read)) or 1
        places = range(read[0], read[-1] + 1, step)
        taps = tuple(tuple(found.get(t, -1) for t in places) for found in offsets)
        return Group(tuple(phases), taps, read[0], step)

    def _axis(self, crop: int, apart: bool) -> Axis:
        phases = range(self.stride)
        sets = itertools.groupby(phases, lambda f: sorted(self._offsets(f, crop)) if apart else 0)
        groups = tuple(self.group(list(members), crop) for _, members in sets)
        return Axis(-(-(self.result + crop) // self.stride), crop, groups)

    def options(self) -> list[Axis]:
        """Return the ways to compute the axis: all phases together, and apart by what they read.

        Of each the one that begins where there is the least to do.
        """
        best = [
            min((self._axis(crop, apart) for crop in range(self.stride)), key=lambda a: a.work)
            for apart in (False, True)
        ]
        return list(dict.fromkeys(best))

    def each(self) -> Axis:
        """Return the way to compute each phase by itself."""
        axes = [
            Axis(
                -(-(self.result + crop) // self.stride),
                crop,
                tuple(self.group([phase], crop) for phase in range(self.stride)),
            )
            for crop in range(self.stride)
        ]
        return min(axes, key=lambda axis: axis.work)


def filters(weight: np.ndarray, groups: Sequence[Group]) -> np.ndarray:
    """Return the filters of the phases of one group of each axis.

    Parameters
    ----------
    weight : numpy.ndarray
        Shape (inner, outer, *kernel), of a transposed convolution.
    groups : sequence of Group
        By axis.

    Returns
    -------
    numpy.ndarray
        Shape (phases, outer, inner, *places); the last axis' phases come fastest.
    """
    # The tap -1, which a phase does not have, is the last one: zero.
    weight = np.pad(weight, [(0, 0), (0, 0), *[(0, 1)] * len(groups)])
    found = []
    for taps in itertools.product(*(group.taps for group in groups)):
        chosen = weight
        for axis, indices in enumerate(taps, start=2):
            chosen = np.take(chosen, indices, axis=axis)
        found.append(chosen.swapaxes(0, 1))
    return np.stack(found)
