"""Counts as tables."""

from __future__ import annotations

from collections.abc import Sequence

from tools.peers.results import geometric_mean
from tvmlcnn.analysis.counting import CountedFile, Figures
from tvmlcnn.cli.output import layers_text, print_facts, print_table

from .peers import PEERS
from .results import Count
from .threads import Prediction

_FIGURES = ("instructions", "fmla", "dot", "loads", "stores", "stack", "cycles")
_SPARE = ("stores", "loads", "dot")


def print_count(count: Count) -> None:
    """Print a network: a row a framework, in millions, the fewest cycles first."""
    rows = {"tvmlcnn": count.ours.total} | {
        PEERS[name].title: figures for name, figures in count.counted.items()
    }
    least = count.best("cycles")
    base = count.counted[least].cycles if least else count.ours.total.cycles
    print_table(
        (count.network, *_FIGURES, "ratio"),
        [
            (title, *_cells(figures, 1e6), f"{figures.cycles / base:.2f}")
            for title, figures in sorted(rows.items(), key=lambda row: row[1].cycles)
        ],
        _SPARE,
    )
    reasons = {name: each for name, each in count.peers.items() if isinstance(each, str)}
    if reasons:
        print_facts(
            [(PEERS[name].title, f"not counted: {reason}") for name, reason in reasons.items()]
        )


def print_prediction(prediction: Prediction) -> None:
    """Print what several threads would take, and where they are limited."""
    several = prediction.several
    print_facts(
        [
            (
                f"{prediction.threads} threads",
                f"{several / 1e6:.1f} M cycles predicted, {prediction.speed:.2f} times as fast as "
                f"one ({prediction.one / 1e6:.1f} M with memory)",
            ),
            ("imbalance", f"{prediction.balance / several:.0%} of them"),
            ("waiting for memory", f"{prediction.memory / several:.0%}"),
        ]
    )


def print_kernels(counted: CountedFile) -> None:
    """Print a row a kernel, in thousands, in the order in which they run."""
    whole = counted.total.cycles
    rows = [
        (*_cells(figures, 1e3), f"{figures.cycles / whole:.1%}", call.rule)
        + (layers_text(call.layers, call.function),)
        for call, figures in counted.kernels
    ]
    share = f"{counted.outside.cycles / whole:.1%}"
    rows.append((*_cells(counted.outside, 1e3), share, "", "outside of kernels"))
    print_table((*_FIGURES, "share", "rule", "layers"), rows, _SPARE)


def print_summary(counts: Sequence[Count]) -> None:
    """Print a row a network, and the geometric means of the ratios to the best peer's."""
    rows: list[Sequence[str]] = []
    for count in counts:
        row = [count.network]
        for figure in ("instructions", "cycles"):
            best, ours = count.best(figure), getattr(count.ours.total, figure)
            row += [f"{ours / 1e6:.1f}"]
            row += [f"{getattr(count.counted[best], figure) / 1e6:.1f}", best] if best else ["", ""]
            row += [_ratio(count.ratio(figure))]
        rows.append(row)
    means = [_ratio(geometric_mean(c.ratio(f) for c in counts)) for f in ("instructions", "cycles")]
    rows.append(("geometric mean", "", "", "", means[0], "", "", "", means[1]))
    columns = ("instructions", "best peer's", "of", "ratio", "cycles", "best peer's", "of", "ratio")
    print_table(("network", *columns), rows)


def _cells(figures: Figures, unit: float) -> list[str]:
    return [f"{getattr(figures, name) / unit:.1f}" for name in _FIGURES]


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
