"""Compare one network: convert, load, check and time it in every framework."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tvmlcnn.analysis import analyze

from .convert import Unavailable, converted, version
from .frameworks import FRAMEWORKS, OURS, Call
from .job import Job, read
from .measure import interleave
from .results import WRONG, Comparison, Row
from .roofline import Roofline

_ROOFLINE = "roofline"


def compare(
    model: str,
    names: Iterable[str],
    target: str,
    threads: int,
    work: Path,
    seconds: float,
    rounds: int | None,
    progress: Callable[[str], None],
) -> Comparison:
    """Return the figures of one network in the named frameworks; a failure is a row's reason.

    Raises
    ------
    UserError
        If there is no such network, or it does not fit here (`job.read`).
    """
    job = read(model, target, threads)
    macs = analyze(model).total.macs
    rows: dict[str, Row] = {}
    calls: dict[str, Callable[[], object]] = {}
    for name in names:
        title = FRAMEWORKS[name].title
        progress(f"{job.name}: {title}")
        try:
            number = version(name)
        except Unavailable as error:
            rows[name] = Row(name, title, "", reason=str(error))
            continue
        try:
            call = FRAMEWORKS[name].load(job, converted(job, name, work))
            error = difference(call(job.input), job.expected)
            rows[name] = Row(name, title, number, error=error)
            if not error <= WRONG:
                raise Unavailable(f"its output is another: {error:.0e} of the range from torch's")
            calls[name] = _bound(call, job.input)
        except Exception as error:  # whatever the framework raises
            rows[name] = Row(name, title, number, reason=_line(error))
    roofline = _roofline(job, work, progress)
    if roofline is not None:
        calls[_ROOFLINE] = roofline
    progress(f"{job.name}: timing")

    def failed(name: str, error: Exception) -> None:
        rows[name] = Row(name, rows[name].title, rows[name].version, reason=_line(error))

    times = interleave(calls, seconds, rounds, failed)
    peak = None
    if roofline is not None:
        peak = roofline.operations / min(times.pop(_ROOFLINE)) / 1e6
    return Comparison(
        model,
        job.input.shape,
        macs,
        peak,
        OURS,
        tuple(
            Row(r.name, r.title, r.version, tuple(times.get(r.name, ())), r.error, r.reason)
            for r in rows.values()
        ),
    )


def difference(output: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference from what torch computes, over the range of that.

    Raises
    ------
    Unavailable
        If the shapes differ.
    """
    output = np.asarray(output)
    if output.shape != expected.shape:
        raise Unavailable(f"its output has the shape {output.shape}, torch's {expected.shape}")
    return float(np.abs(output - expected).max() / np.ptp(expected))


def pin(threads: int) -> None:
    """Keep this process, its threads to come and its children on so many CPUs."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _bound(call: Call, image: np.ndarray) -> Callable[[], object]:
    return lambda: call(image)


def _roofline(job: Job, work: Path, progress: Callable[[str], None]) -> Roofline | None:
    try:
        return Roofline(job.threads, work)
    except (RuntimeError, OSError) as error:
        progress(f"no roofline: {_line(error)}")
        return None


def _line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return text if isinstance(error, Unavailable) else f"{type(error).__name__}: {text}"
