"""Places that follow from a channel's number, so that no kernel has to look them up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tvm import tirx
from tvm.ir import Expr

# Axes of channels that a shuffle permutes: two of groups, and the planes around them.
_MOST_AXES = 3
# Runs that lie apart, as those of splits: each costs about what looking up a place does.
_MOST_RUNS = 8


def regular_places(places: np.ndarray) -> Callable[[Expr], Expr] | None:
    """Return a function of the channel that computes its place; None where there is no short one.

    Parameters
    ----------
    places : numpy.ndarray
        Of int32, shape (C,).
    """
    first = int(places[0])
    axes = _axes(places)
    if axes is not None:

        def by_axes(channel: Expr) -> Expr:
            place, inner = tirx.const(first, "int32"), 1
            for count, step in axes:
                place = place + channel // inner % count * step if step else place
                inner *= count
            return place

        return by_axes
    steps = np.diff(places)
    values, counts = np.unique(steps, return_counts=True)
    usual = int(values[np.argmax(counts)])
    breaks = [(int(at) + 1, int(steps[at]) - usual) for at in np.flatnonzero(steps != usual)]
    if len(breaks) >= _MOST_RUNS:
        return None

    def by_runs(channel: Expr) -> Expr:
        moved = (tirx.Select(channel >= at, further, 0) for at, further in breaks)
        return sum(moved, first + channel * usual)

    return by_runs


def _axes(places: np.ndarray) -> list[tuple[int, int]] | None:
    """Return the lengths and the strides of the axes that places are those of, innermost first."""
    found: list[tuple[int, int]] = []
    while len(places) > 1:
        step = places[1] - places[0]
        breaks = np.flatnonzero(np.diff(places) != step)
        length = int(breaks[0]) + 1 if len(breaks) else len(places)
        if len(places) % length or len(found) == _MOST_AXES:
            return None
        lines = places.reshape(-1, length)
        if not np.array_equal(lines, lines[:, :1] + step * np.arange(length)):
            return None
        found.append((length, int(step)))
        places = lines[:, 0]
    return found
