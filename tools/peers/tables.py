"""The comparison as tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tvmlcnn.cli.output import print_facts, print_table

from .results import TWO, Comparison, Row, geometric_mean

_IDLE = 0.95  # share of the cores' time that a measurement wants


def print_comparison(comparison: Comparison) -> None:
    """Print one network: a row a framework, the fastest first, those without times last."""
    shape = "x".join(map(str, comparison.input_shape))
    peak = comparison.peak_gflops
    print_facts(
        [
            ("network", f"{comparison.model}, {shape}, {comparison.macs / 1e6:,.0f} M MACs"),
            ("roofline", "not measured" if peak is None else _least(comparison, peak)),
        ]
    )
    timed = sorted(comparison.timed.values(), key=lambda row: row.min)
    print_table(
        ("framework", "version", "min ms", "median ms", "ratio", "roofline %")
        + ("error" if comparison.dtype == "float32" else "signal to noise dB",),
        [_cells(comparison, row) for row in timed],
    )
    missing = [(row.title, row.reason) for row in comparison.rows if not row.times]
    if missing:
        print_facts([(title, f"no time: {reason}") for title, reason in missing])
        print()


def _least(comparison: Comparison, peak: float) -> str:
    idle = comparison.availability or 0.0
    least = 2 * comparison.macs / (peak * 1e9) * 1e3
    median = statistics.median(comparison.loop_gflops)
    text = f"{peak:.1f} {comparison.unit} at best, {median:.1f} median, so at least {least:.2f} ms"
    busy = f"; other programs took {1 - idle:.0%} of the cores' time, so the medians are rough"
    return text + busy * (idle < _IDLE)


def _cells(comparison: Comparison, row: Row) -> list[str]:
    quality = "" if row.error is None else f"{row.error:.0e}"
    if row.snr is not None:
        quality = f"{row.snr:.1f}"
    return [
        row.title,
        row.version,
        f"{row.min:.2f}",
        f"{row.median:.2f}",
        _figure(comparison.speed(row)),
        _figure(comparison.share(row), 100, 0),
        quality + " !" * (bool(quality) and not row.agrees),
    ]


def print_summary(comparisons: Sequence[Comparison]) -> None:
    """Print a row a network, and the geometric means of the ratios."""
    rows: list[Sequence[str]] = []
    narrow = any(comparison.gain() is not None for comparison in comparisons)
    for comparison in comparisons:
        ours, best = comparison.timed.get(comparison.ours), comparison.best_peer
        rows.append(
            (
                comparison.model,
                "" if ours is None else f"{ours.min:.2f}",
                "" if best is None else f"{best.min:.2f}",
                "" if best is None else best.title,
                _figure(comparison.lead()),
                _figure(comparison.lead(TWO)),
                "" if ours is None else _figure(comparison.share(ours), 100, 0),
                *([_figure(comparison.gain())] if narrow else []),
            )
        )
    means = [geometric_mean(c.lead(names) for c in comparisons) for names in (None, TWO)]
    gain = [_figure(geometric_mean(c.gain() for c in comparisons))] if narrow else []
    rows.append(("geometric mean", "", "", "", *map(_figure, means), "", *gain))
    print_table(
        ("network", "tvmlcnn ms", "best peer ms", "best peer", "ratio")
        + ("ratio, ORT and OpenVINO", "roofline %")
        + ("ratio, float32",) * narrow,
        rows,
    )


def _figure(value: float | None, scale: float = 1, digits: int = 2) -> str:
    return "" if value is None else f"{scale * value:.{digits}f}"
