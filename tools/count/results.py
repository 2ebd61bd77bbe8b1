"""The figures of networks, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tools.peers.results import geometric_mean
from tvmlcnn.analysis.counting import Core, CountedFile, Figures

from .threads import Prediction


@dataclass(frozen=True)
class Count:
    """One network on one core.

    Attributes
    ----------
    network, target, dtype : str
    core : Core
    ours : CountedFile
    peers : dict of str to Figures or str
        The reason where there are no figures.
    prediction : Prediction or None
        Of ours on several threads.
    """

    network: str
    target: str
    dtype: str
    core: Core
    ours: CountedFile
    peers: dict[str, Figures | str]
    prediction: Prediction | None = None

    @property
    def counted(self) -> dict[str, Figures]:
        """The peers that have figures."""
        return {name: each for name, each in self.peers.items() if isinstance(each, Figures)}

    def best(self, figure: str) -> str | None:
        """Return the peer that has least of a figure, as ``"cycles"``; None where none has any."""
        found = self.counted
        return min(found, key=lambda name: getattr(found[name], figure), default=None)

    def ratio(self, figure: str) -> float | None:
        """Return how much of a figure ours has for each of the best peer's; None without one."""
        best = self.best(figure)
        if best is None:
            return None
        return float(getattr(self.ours.total, figure) / getattr(self.counted[best], figure))


def to_json(counts: Sequence[Count]) -> dict[str, Any]:
    """Return the counts as a JSON object."""
    return {
        "networks": [_network(count) for count in counts],
        "geometric_mean": {
            f"{figure}_ratio": geometric_mean(count.ratio(figure) for count in counts)
            for figure in ("instructions", "cycles")
        },
    }


def _network(count: Count) -> dict[str, Any]:
    return {
        "network": count.network,
        "target": count.target,
        "dtype": count.dtype,
        "core": count.core.emulated,
        "model": count.core.model,
        "instructions_ratio": count.ratio("instructions"),
        "cycles_ratio": count.ratio("cycles"),
        "tvmlcnn": asdict(count.ours.total),
        "threads": count.prediction and asdict(count.prediction),
        "peers": {
            name: asdict(each) if isinstance(each, Figures) else {"reason": each}
            for name, each in count.peers.items()
        },
        "kernels": [
            {"function": call.function, "rule": call.rule, "layers": call.layers} | asdict(figures)
            for call, figures in count.ours.kernels
        ],
    }
