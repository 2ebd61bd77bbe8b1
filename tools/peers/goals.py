"""What the project asks of itself, held against a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .results import Comparison, geometric_mean

LIGHT = (
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
)
HEAVY = ("resnet50", "densenet121", "resnext50_32x4d")


@dataclass(frozen=True)
class Goal:
    """A ratio of times that networks are to reach.

    Attributes
    ----------
    networks : tuple of str
    peers : tuple of str or None
        Rows whose best one ours is compared with; None for all peers.
    mean : float or None
        What the geometric mean is to be at least.
    each : float or None
        The same of each network.
    """

    networks: tuple[str, ...]
    peers: tuple[str, ...] | None
    mean: float | None = None
    each: float | None = None


GOALS: dict[tuple[str, str], tuple[Goal, ...]] = {
    ("int8", "native"): (Goal(LIGHT, None, mean=1.3), Goal(HEAVY, None, each=1.0)),
    ("int8", "x86"): (Goal(LIGHT + HEAVY, ("tvmlcnn-float32",), each=1.3),),
    ("bfloat16", "native"): (Goal(LIGHT + HEAVY, ("openvino",), mean=1.2, each=1.0),),
}
"""By the type and the target, for one thread."""
ON_GPU = (Goal(LIGHT + HEAVY, None, mean=1.5, each=1.0),)
"""At batch 1, in each type."""


def verdicts(comparisons: Sequence[Comparison], goals: Sequence[Goal]) -> list[tuple[str, str]]:
    """Return a line for each goal: what is asked for, and what was reached.

    Networks that were not compared are not counted.
    """
    lines = []
    for goal in goals:
        leads = {
            comparison.model: lead
            for comparison in comparisons
            if comparison.model in goal.networks
            and (lead := comparison.lead(goal.peers)) is not None
        }
        if not leads:
            continue
        against = "the best peer" if goal.peers is None else " or ".join(goal.peers)
        if goal.mean is not None:
            mean = geometric_mean(leads.values()) or 0.0
            said = f"{mean:.2f} in the geometric mean of {len(leads)} of {len(goal.networks)}"
            lines.append((f"{goal.mean} times {against}", said + _missed(mean, goal.mean)))
        if goal.each is not None:
            worst = min(leads, key=lambda name: leads[name])
            said = f"{leads[worst]:.2f} at least, for {worst}"
            lines.append(
                (f"{goal.each} times {against}, each", said + _missed(leads[worst], goal.each))
            )
    return lines


def _missed(reached: float, wanted: float) -> str:
    return "" if reached >= wanted else ": missed"
