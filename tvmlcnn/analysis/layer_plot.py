"""A picture of an analysis: the roofline with the layers on it, and a bar a layer.

Without a target there is no roofline, and the bars are multiply-adds and memory traffic. Layers
that cost nothing once they are fused are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator

from tvmlcnn.files import write_whole

from .layer_graph import KINDS
from .measured import Measured
from .roofline import Limits
from .summary import Analysis
from .totals import Row

# Okabe and Ito's colours, which the colour-blind can tell apart, by the type of operator.
_COLOURS = dict.fromkeys(KINDS, "#999999") | {
    "pointwise": "#0072B2",
    "depthwise": "#D55E00",
    "grouped": "#009E73",
    "full": "#E69F00",
    "fc": "#CC79A7",
    "elementwise": "#56B4E9",
    "norm": "#56B4E9",
    "pool": "#222222",
}
_STYLE: Any = {
    "svg.fonttype": "none",  # text as text: a tenth of the size
    "svg.hashsalt": "tvmlcnn",  # the same picture is the same file
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_MAX_NAMES = 70


def write_plot(analysis: Analysis, path: Path, timed: Sequence[Measured] = ()) -> None:
    """Write the picture to a ``.png`` or ``.svg``, whole or not at all.

    Kernels that were timed get a cross under the roof, below what they could reach. The same
    analysis gives the same bytes: nothing in the file tells when or where it was made.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    kind = path.suffix[1:].lower()
    unstamped = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with rc_context(_STYLE):
        figure = _draw(analysis, timed)
        write_whole(
            path, lambda file: figure.savefig(file, format=kind, dpi=120, metadata=unstamped)
        )


def _draw(analysis: Analysis, timed: Sequence[Measured]) -> Figure:
    rows = [row for row in analysis.rows if row.layer.macs or row.traffic]
    figure = Figure(figsize=(11, 8), layout="constrained")
    top, bottom = figure.subplots(2, 1)
    limits, total = analysis.limits, analysis.total
    shapes = ", ".join("x".join(map(str, shape)) for shape in analysis.input_shapes)
    title = f"{analysis.model} ({shapes}): {total.macs / 1e6:,.0f} M multiply-adds"
    if limits is None:
        figure.suptitle(f"{title}, {total.traffic_bytes / 1e6:,.1f} MB of traffic")
        _bars(top, rows, lambda row: row.layer.macs / 1e6, "multiply-adds, M")
        top.set_xticks([])
        _bars(bottom, rows, lambda row: row.traffic / 1e6, "memory traffic, MB")
    else:
        figure.suptitle(f"{title}; {limits.target}: at least {(total.us or 0) / 1e3:,.2f} ms")
        _roof(top, rows, limits, timed)
        _bars(bottom, rows, lambda row: row.bound.us if row.bound else 0.0, "least time, µs")
    _names(bottom, rows)
    present = [kind for kind in KINDS if any(row.layer.kind == kind for row in rows)]
    handles = [Patch(color=_COLOURS[kind], label=kind) for kind in present]
    bottom.legend(
        handles=handles,
        frameon=False,
        ncols=len(handles),
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
    )
    return figure


def _roof(axes: Axes, rows: list[Row], limits: Limits, timed: Sequence[Measured]) -> None:
    """Draw what a device reaches at most over the operations a byte, and each layer's place."""
    points = [(2 * r.layer.macs / r.traffic, r) for r in rows if r.layer.macs and r.traffic]
    places = [limits.ridge, *(intensity for intensity, _ in points)]
    places += [kernel.intensity for kernel in timed]
    left, right = min(places) / 2, max(places) * 2

    def reached(intensity: float) -> float:
        return min(limits.peak_gflops, intensity * limits.bandwidth_gbs)

    corners = [left, limits.ridge, right]
    axes.plot(corners, [reached(x) for x in corners], color="#444444", lw=1.2, zorder=1)
    longest = max((row.bound.us for _, row in points if row.bound), default=1.0)
    for intensity, row in points:
        us = row.bound.us if row.bound else 0.0
        axes.scatter(
            intensity,
            reached(intensity),
            s=20 + 240 * us / longest,
            color=_COLOURS[row.layer.kind],
            alpha=0.55,
            edgecolor="white",
            lw=0.4,
            zorder=2,
        )
    for kernel in timed:
        place: Any = {"color": _COLOURS[kernel.row.layer.kind], "zorder": 3}
        axes.scatter(kernel.intensity, kernel.gflops, marker="x", s=24, lw=1.2, **place)
    most = max([limits.peak_gflops, *(kernel.gflops for kernel in timed)])
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(None, 1.5 * most))
    what = ": at most (discs), measured (crosses)" if timed else " at most"
    axes.set(xlabel="operations a byte", ylabel=f"{limits.unit}{what}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    peak = f"compute-bound: {limits.peak_gflops:g} {limits.unit}"
    slope = f"memory-bound: {limits.bandwidth_gbs:g} GB/s"
    near: Any = {"textcoords": "offset points", "color": "#444444"}
    axes.annotate(peak, (right, limits.peak_gflops), (-2, 9), ha="right", **near)
    middle = sqrt(left * limits.ridge)
    axes.annotate(slope, (middle, reached(middle)), (14, -8), va="top", **near)


def _bars(axes: Axes, rows: list[Row], height: Callable[[Row], float], label: str) -> None:
    colours = [_COLOURS[row.layer.kind] for row in rows]
    axes.bar(range(len(rows)), [height(row) for row in rows], color=colours, width=0.8)
    axes.set(ylabel=label, xlim=(-0.7, len(rows) - 0.3))


def _names(axes: Axes, rows: list[Row]) -> None:
    """Write the layers' names under the bars: all of them where they fit, else some."""
    step = -(-len(rows) // _MAX_NAMES) or 1
    ticks = range(0, len(rows), step)
    names = [rows[index].layer.name for index in ticks]
    axes.set_xticks(ticks, names, rotation=90, fontsize=6)
