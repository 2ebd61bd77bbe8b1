"""Inputs to calibrate with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Example = tuple[np.ndarray, ...]
"""Arrays for the inputs of a network, in order."""


@dataclass(frozen=True)
class Calibration:
    """Inputs to observe a network on, and others to judge the result by.

    Attributes
    ----------
    observed, held_out : sequence of tuple of numpy.ndarray
        An array for each input of the network, of its shape.
    source : str
        Where they come from, in words.
    """

    observed: Sequence[Example]
    held_out: Sequence[Example]
    source: str
