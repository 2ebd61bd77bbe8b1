"""From scores of classes to the most likely labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Guess:
    """A class and its probability."""

    label: str
    score: float


def top(scores: np.ndarray, labels: Sequence[str], count: int = 5) -> list[Guess]:
    """Return the most likely classes, best first.

    Parameters
    ----------
    scores : numpy.ndarray
        Shape (1, classes): logits, to which softmax is applied, or probabilities.
    labels : sequence of str
        One name a class.
    count : int
        How many to return at most.
    """
    values = scores.reshape(-1).astype(np.float64)
    if values.min() < 0 or abs(values.sum() - 1) > 1e-3:
        values = np.exp(values - values.max())
        values /= values.sum()
    best = np.argsort(-values, kind="stable")[:count]
    return [Guess(labels[index], float(values[index])) for index in best]
