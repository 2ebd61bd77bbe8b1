"""Timing one network in all frameworks on a GPU, in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from ..measure import interleave
from ..results import FEWEST_DECIBELS, WRONG, Comparison, Row
from .frameworks import OURS, Framework
from .gpu_job import GpuJob


def compare_on_gpu(
    job: GpuJob,
    frameworks: Mapping[str, Framework],
    folder: Path,
    seconds: float,
    rounds: int | None,
    progress: Callable[[str], None],
) -> Comparison:
    """Load the network in each framework, compare its output with torch's, and time the calls.

    What cannot run it, or computes something else, has the reason in place of times.
    """
    calls: dict[str, Callable[[], object]] = {}
    rows: dict[str, Row] = {}
    what = f"{job.model}, {job.dtype}, batch {len(job.input)}"
    for name, framework in frameworks.items():
        progress(f"{what}: {framework.title}")
        own = folder / name
        own.mkdir(parents=True, exist_ok=True)
        rows[name], call = _loaded(name, framework, job, own)
        if call is not None:
            calls[name] = call
    progress(f"{what}: timing")
    failures: dict[str, Exception] = {}
    times = interleave(calls, seconds, rounds, failed=failures.__setitem__)
    return Comparison(
        job.model,
        job.input.shape,
        job.macs,
        (),
        None,
        OURS,
        tuple(_timed(row, times.get(name), failures.get(name)) for name, row in rows.items()),
        job.dtype,
    )


def _loaded(
    name: str, framework: Framework, job: GpuJob, folder: Path
) -> tuple[Row, Callable[[], object] | None]:
    version = torch.__version__ if name != OURS else ""
    try:
        call = framework.load(job, folder)
        result = call(job.input)
    except Exception as error:  # whatever a framework raises
        return Row(name, framework.title, version, reason=_line(error)), None
    error, snr = _quality(result, job)
    row = Row(name, framework.title, version, error=error, snr=snr)
    if (error is not None and not error <= WRONG) or (snr is not None and snr < FEWEST_DECIBELS):
        reason = "its output is another one than torch's on the CPU"
        return Row(name, framework.title, version, error=error, snr=snr, reason=reason), None
    return row, lambda: call(job.input)


def _quality(result: np.ndarray, job: GpuJob) -> tuple[float | None, float | None]:
    """Return the error over the output's range in float32, or decibels in fewer bits."""
    difference = np.abs(result.astype(np.float64) - job.expected)
    if job.dtype == "float32":
        return float(difference.max() / (np.ptp(job.expected) or 1.0)), None
    noise = float((difference**2).sum())
    signal = float((job.expected.astype(np.float64) ** 2).sum())
    return None, float("inf") if noise == 0 else 10 * float(np.log10(signal / noise))


def _timed(row: Row, times: list[float] | None, failure: Exception | None) -> Row:
    reason = row.reason if failure is None else _line(failure)
    return Row(row.name, row.title, row.version, tuple(times or ()), row.error, row.snr, reason)


def _line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__
