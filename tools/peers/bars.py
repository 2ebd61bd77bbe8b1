"""The comparison as bars: how much of the roofline each framework reaches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from tvmlcnn.files import write_whole

from .results import Comparison

# Okabe and Ito's colours, which the colour-blind can tell apart; ours is the one that glows.
_COLOURS = {
    "tvmlcnn": "#D55E00",
    "tvmlcnn-float32": "#F0B58C",
    "onnxruntime": "#0072B2",
    "openvino": "#56B4E9",
    "ncnn": "#009E73",
    "mnn": "#F0E442",
    "xnnpack": "#CC79A7",
    "torch": "#999999",
}
_UPRIGHT = 4  # networks whose names have room side by side
_ENTRY_WIDTH = 1.6  # inches of the legend, for the longest name of a framework
_STYLE: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def write_plot(comparisons: Sequence[Comparison], path: Path, subtitle: str) -> None:
    """Write a ``.png`` with a group of bars a network, whole or not at all.

    A bar is as high as its share of the roofline, from the fastest call; without a roofline, as
    its speed over the best peer's. A framework without a time has no bar.
    """
    with rc_context(_STYLE):
        figure = _draw(comparisons, subtitle)
        write_whole(path, lambda file: figure.savefig(file, format="png", dpi=120))


def _draw(comparisons: Sequence[Comparison], subtitle: str) -> Figure:
    rooted = all(comparison.peak_gflops for comparison in comparisons)
    figure = Figure(figsize=(max(6.0, 2 + 1.3 * len(comparisons)), 4), layout="constrained")
    axes = figure.subplots()
    rows = {row.name: row.title for comparison in comparisons for row in comparison.rows}
    width = 0.84 / len(rows)
    for index, (name, title) in enumerate(rows.items()):
        places: list[float] = []
        heights: list[float] = []
        times: list[str] = []
        for group, comparison in enumerate(comparisons):
            row = comparison.timed.get(name)
            if row is None:
                continue
            height = comparison.share(row) if rooted else comparison.speed(row)
            places.append(group + (index - (len(rows) - 1) / 2) * width)
            heights.append(height or 0.0)
            times.append(f"{row.min:.3g}")
        bars = axes.bar(places, heights, 0.92 * width, color=_COLOURS[name], label=title)
        labels = axes.bar_label(bars, times, rotation=90, fontsize=6, padding=2)
        for label in labels:  # which the line of the roofline would strike through
            label.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
    axes.axhline(1, color="#444444", lw=0.8, zorder=0)
    axes.set_xticks(range(len(comparisons)), [comparison.model for comparison in comparisons])
    axes.tick_params(axis="x", length=0)
    if len(comparisons) > _UPRIGHT:
        for name in axes.get_xticklabels():  # each ends at its bars
            name.set(rotation=20, ha="right", rotation_mode="anchor")
    axes.set(ylabel="share of the roofline" if rooted else "speed, best peer = 1")
    axes.margins(y=0.12)
    axes.set_title(f"{subtitle}; bars bear milliseconds", fontsize=9)
    columns = min(len(rows), int(figure.get_figwidth() / _ENTRY_WIDTH))
    handles, titles = axes.get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside lower center", ncols=columns, frameon=False)
    return figure
