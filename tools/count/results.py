"""The figures of networks, and what follows from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tvmlcnn.analysis.counting import Core, CountedFile, Figures


@dataclass(frozen=True)
class Count:
    """One network on one core.

    Attributes
    ----------
    network, target, dtype : str
    core : Core
    ours : CountedFile
    """

    network: str
    target: str
    dtype: str
    core: Core
    ours: CountedFile


def to_json(counts: list[Count]) -> list[dict[str, Any]]:
    """Return the counts as JSON objects."""
    return [
        {
            "network": count.network,
            "target": count.target,
            "dtype": count.dtype,
            "core": count.core.emulated,
            "model": count.core.model,
            "ours": _json(count.ours.total),
            "kernels": [
                {"function": call.function, "rule": call.rule, "layers": call.layers}
                | _json(figures)
                for call, figures in count.ours.kernels
            ],
        }
        for count in counts
    ]


def _json(figures: Figures) -> dict[str, Any]:
    return asdict(figures)
