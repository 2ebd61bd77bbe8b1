"""How near a quantized network is to what it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_WORST = 5
"""Layers that are named."""
_FEWEST_CLASSES = 2
_TOP = 5


@dataclass(frozen=True)
class Fidelity:
    """What a quantized network gives for inputs that it was not calibrated with.

    Attributes
    ----------
    examples : int
        How many inputs were compared.
    top1, top5 : float or None
        Share of them whose best class in float32 is the best, or one of the five best, of the
        quantized network; None where the first output is no row of scores.
    snr : dict of str to float
        By the number of the output: the energy of float32's result over that of the difference,
        in dB.
    worst : list of (str, float)
        The layers with the lowest signal-to-noise ratio, in dB, each by its own: given what
        float32 gives it.
    """

    examples: int
    top1: float | None
    top5: float | None
    snr: dict[str, float]
    worst: list[tuple[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return asdict(self)


def fidelity(
    exact: Sequence[Sequence[np.ndarray]],
    quantized: Sequence[Sequence[np.ndarray]],
    layers: Sequence[tuple[str, float]] = (),
) -> Fidelity:
    """Compare outputs.

    Parameters
    ----------
    exact, quantized : sequence of sequence of numpy.ndarray
        For each example, an array for each output.
    layers : sequence of (str, float)
        Names of layers and their signal-to-noise ratios in dB.
    """
    pairs = list(zip(exact, quantized, strict=True))
    numbers = range(len(exact[0]))
    ratios = {
        str(number): decibels(
            sum(energy(one[number]) for one in exact),
            sum(energy(other[number] - one[number].astype(np.float64)) for one, other in pairs),
        )
        for number in numbers
        if np.issubdtype(exact[0][number].dtype, np.floating)
    }
    top1 = top5 = None
    if _are_scores(exact[0][0]):
        ours = np.concatenate([one[0] for one in exact])
        theirs = np.concatenate([other[0] for other in quantized])
        top1, top5 = agreement(ours, theirs, 1), agreement(ours, theirs, _TOP)
    worst = sorted(layers, key=lambda layer: layer[1])[:_WORST]
    return Fidelity(len(exact), top1, top5, ratios, worst)


def agreement(exact: np.ndarray, other: np.ndarray, count: int) -> float:
    """Return the share of rows whose best class is among the ``count`` best of another's.

    Parameters
    ----------
    exact, other : numpy.ndarray
        Scores of shape (rows, classes).
    count : int
    """
    best = exact.argmax(1)
    among = np.argsort(-other, axis=1, kind="stable")[:, :count]
    return float((among == best[:, None]).any(1).mean())


def energy(values: np.ndarray) -> float:
    """Return the sum of squares of the finite elements."""
    finite = values[np.isfinite(values)].astype(np.float64)
    return float(np.square(finite).sum())


def decibels(signal: float, noise: float) -> float:
    """Return a ratio of energies in dB, at most `MOST_DECIBELS`."""
    if noise <= signal * 10 ** (-MOST_DECIBELS / 10):
        return MOST_DECIBELS
    return max(-MOST_DECIBELS, float(10 * np.log10(max(signal, 1e-300) / noise)))


MOST_DECIBELS = 150.0
"""What float32 itself resolves; JSON has no infinity."""


def _are_scores(output: np.ndarray) -> bool:
    """Tell whether an output can be scores of classes, a row for each picture."""
    rows = output.ndim == 2 and output.shape[1] >= _FEWEST_CLASSES
    return rows and np.issubdtype(output.dtype, np.floating)
