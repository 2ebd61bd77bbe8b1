"""The figures of a comparison, and what follows from them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

# Of the output's range; more is shown with a mark, and where nothing is alike the time is void.
TOLERANCE, WRONG = 1e-4, 1e-2
# The same of signal to noise, in dB, where the network is computed in fewer bits.
ENOUGH_DECIBELS, FEWEST_DECIBELS = 15.0, 5.0
TWO = ("onnxruntime", "openvino")


@dataclass(frozen=True)
class Row:
    """One framework's figures for one network; ``reason`` instead where it has none.

    Attributes
    ----------
    name, title, version : str
    times : tuple of float
        Milliseconds of each counted call.
    error : float or None
        Largest difference from torch's output, over the output's range, in float32.
    snr : float or None
        Signal to noise of the outputs against torch's in float32, in dB, in other types.
    reason : str or None
        Why it was not timed, in one line.
    """

    name: str
    title: str
    version: str = ""
    times: tuple[float, ...] = ()
    error: float | None = None
    snr: float | None = None
    reason: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether its output is near enough to torch's."""
        if self.snr is not None:
            return self.snr >= ENOUGH_DECIBELS
        return self.error is not None and self.error <= TOLERANCE

    @property
    def min(self) -> float:
        """Least milliseconds of a call."""
        return min(self.times)

    @property
    def median(self) -> float:
        """Median milliseconds of a call."""
        return statistics.median(self.times)


@dataclass(frozen=True)
class Comparison:
    """One network in all frameworks.

    Attributes
    ----------
    model : str
    input_shape : tuple of int
    macs : int
        Multiply-adds of one inference, from the analyser.
    loop_gflops : tuple of float
        What the loop of multiply-adds reached on the same threads between the turns, a call each;
        its best is the roofline. Empty where it could not be measured.
    availability : float or None
        The share of the cores' time that the loop got; the rest went to other programs.
    ours : str
        Name of the row that the others are peers of.
    rows : tuple of Row
    dtype : str
        What all compute in, but for ``in_float32``.
    in_float32 : str or None
        Name of the row of ours in float32, which nobody is compared with.
    """

    model: str
    input_shape: tuple[int, ...]
    macs: int
    loop_gflops: tuple[float, ...]
    availability: float | None
    ours: str
    rows: tuple[Row, ...]
    dtype: str = "float32"
    in_float32: str | None = None

    @property
    def peak_gflops(self) -> float | None:
        """The roofline."""
        return max(self.loop_gflops, default=None)

    @property
    def unit(self) -> str:
        """Of the roofline: operations on integers are none of floating point."""
        return "GOP/s" if self.dtype == "int8" else "GFLOP/s"

    @property
    def peers(self) -> tuple[str, ...]:
        """Names of the rows that are peers and have times."""
        return tuple(name for name in self.timed if name not in (self.ours, self.in_float32))

    @property
    def timed(self) -> dict[str, Row]:
        """The rows that have times, by name."""
        return {row.name: row for row in self.rows if row.times}

    @property
    def best_peer(self) -> Row | None:
        """The peer of the least minimum."""
        return self.best(self.peers)

    def best(self, names: Iterable[str]) -> Row | None:
        """Return the one of these rows with the least minimum; None where none was timed."""
        rows = [self.timed[name] for name in names if name in self.timed]
        return min(rows, key=lambda row: row.min, default=None)

    def speed(self, row: Row) -> float | None:
        """Return how many times as fast as the best peer a row is, by their minima."""
        best = self.best_peer
        return best.min / row.min if best and row.times else None

    def share(self, row: Row) -> float | None:
        """Return the share of the roofline, of the type, that a row's fastest call reached."""
        if not self.peak_gflops or not row.times:
            return None
        return 2 * self.macs / (self.peak_gflops * 1e9) / (row.min / 1e3)

    def lead(self, names: Iterable[str] | None = None, median: bool = False) -> float | None:
        """Return how many times as fast as the best of some peers ours is; by default of all."""
        ours = self.timed.get(self.ours)
        best = self.best_peer if names is None else self.best(names)
        if ours is None or best is None:
            return None
        return best.median / ours.median if median else best.min / ours.min

    def gain(self) -> float | None:
        """Return how many times as fast as in float32 ours is; None where it is float32."""
        return None if self.in_float32 is None else self.lead([self.in_float32])


def geometric_mean(values: Iterable[float | None]) -> float | None:
    """Return the geometric mean of the values that are there; None where none is."""
    logarithms = [math.log(value) for value in values if value is not None]
    return math.exp(statistics.fmean(logarithms)) if logarithms else None


def to_json(
    comparisons: Sequence[Comparison], cpu: str, shown: str, target: str, threads: int
) -> dict[str, Any]:
    """Return the comparisons as a JSON object: milliseconds, ratios, shares of the roofline."""
    return {
        "cpu": cpu,
        "shown": shown,
        "target": target,
        "threads": threads,
        "networks": [_network(comparison) for comparison in comparisons],
        "geometric_mean": {
            "ratio_to_best_peer": geometric_mean(c.lead() for c in comparisons),
            "ratio_to_best_of_onnxruntime_and_openvino": geometric_mean(
                c.lead(TWO) for c in comparisons
            ),
        },
    }


def _network(comparison: Comparison) -> dict[str, Any]:
    best, loop = comparison.best_peer, comparison.loop_gflops
    return {
        "model": comparison.model,
        "dtype": comparison.dtype,
        "input_shape": comparison.input_shape,
        "macs": comparison.macs,
        "peak_gflops": comparison.peak_gflops,
        "median_gflops": statistics.median(loop) if loop else None,
        "availability": comparison.availability,
        "best_peer": best and best.name,
        "ratio_to_best_peer": comparison.lead(),
        "median_ratio_to_best_peer": comparison.lead(median=True),
        "ratio_to_best_of_onnxruntime_and_openvino": comparison.lead(TWO),
        "ratio_to_float32": comparison.gain(),
        "frameworks": [_row(comparison, row) for row in comparison.rows],
    }


def _row(comparison: Comparison, row: Row) -> dict[str, Any]:
    base = {"name": row.name, "title": row.title, "version": row.version}
    if not row.times:
        return base | {"error": row.error, "snr_db": row.snr, "reason": row.reason}
    return base | {
        "min_ms": row.min,
        "median_ms": row.median,
        "calls": len(row.times),
        "ratio_to_best_peer": comparison.speed(row),
        "roofline_share": comparison.share(row),
        "error": row.error,
        "snr_db": row.snr,
        "agrees": row.agrees,
    }
