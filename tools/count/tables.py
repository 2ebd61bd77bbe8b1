"""Counts as tables."""

from __future__ import annotations

from collections.abc import Sequence

from tvmlcnn.analysis.counting import CountedFile, Figures
from tvmlcnn.cli.output import layers_text, print_table

from .results import Count

FIGURES = ("instructions", "fmla", "dot", "loads", "stores", "stack", "cycles")
_SPARE = ("stores", "loads", "dot")


def print_counts(counts: Sequence[Count]) -> None:
    """Print a row a network, in millions."""
    print_table(
        ("network", *FIGURES),
        [(count.network, *cells(count.ours.total, 1e6)) for count in counts],
        _SPARE,
    )


def print_kernels(counted: CountedFile) -> None:
    """Print a row a kernel, in thousands, in the order in which they run."""
    whole = counted.total.cycles
    rows = [
        (*cells(figures, 1e3), f"{figures.cycles / whole:.1%}", call.rule)
        + (layers_text(call.layers, call.function),)
        for call, figures in counted.kernels
    ]
    rows.append(
        (*cells(counted.outside, 1e3), f"{counted.outside.cycles / whole:.1%}", "", "outside")
    )
    print_table((*FIGURES, "share", "rule", "layers"), rows, _SPARE)


def cells(figures: Figures, unit: float) -> list[str]:
    """Return the figures as text, over a unit."""
    return [f"{getattr(figures, name) / unit:.1f}" for name in FIGURES]
