"""Compare one network: convert, load, check and time it in every framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tvmlcnn.analysis import analyze

from .convert import UnavailableError, convert, one_line, version
from .frameworks import FRAMEWORKS, OURS, Call
from .job import Job
from .measure import SETTLE, interleave
from .neighbours import neighbours
from .quiet import output_to
from .results import WRONG, Comparison, Row
from .roofline import Roofline

_ROOFLINE = "roofline"


def compare(
    job: Job,
    names: Iterable[str],
    work: Path,
    seconds: float,
    rounds: int | None,
    busy: int,
    progress: Callable[[str], None],
) -> Comparison:
    """Return the figures of one network in the named frameworks; a failure is a row's reason.

    Parameters
    ----------
    job : Job
    names : iterable of str
        Keys of `FRAMEWORKS`.
    work : Path
        Folder of converted networks; what is there already is used.
    seconds, rounds
        How long to time (`measure.interleave`).
    busy : int
        CPUs that other programs keep busy meanwhile.
    progress : callable
        Called with what begins.
    """
    rows: dict[str, Row] = {}
    calls: dict[str, Callable[[], object]] = {}
    for name, place in convert(job, names, work).items():
        progress(f"{job.name}: loading {FRAMEWORKS[name].title}")
        rows[name] = row = Row(name, FRAMEWORKS[name].title)
        try:
            rows[name] = row = replace(row, version=version(name))
            if isinstance(place, UnavailableError):
                raise place
            call, error = _loaded(job, name, place)
            rows[name] = row = replace(row, error=error)
            if not error <= WRONG:  # nor if it is not a number
                raise UnavailableError(
                    f"its output is another: {error:.0e} of the range from torch's"
                )
            calls[name] = partial(call, job.input)
        except Exception as error:  # whatever the framework raises
            rows[name] = replace(row, reason=one_line(error))
    roofline = None
    try:
        roofline = calls[_ROOFLINE] = Roofline(job.threads, work)
    except (RuntimeError, OSError) as error:
        progress(f"no roofline: {one_line(error)}")

    def failed(name: str, error: Exception) -> None:
        rows[name] = replace(rows[name], reason=one_line(error))

    progress(f"{job.name}: timing")
    with neighbours(busy):
        times = interleave(calls, seconds, rounds, SETTLE if job.threads > 1 else 0.0, failed)
    loop: tuple[float, ...] = ()
    if roofline is not None:
        loop = tuple(map(roofline.gflops, times[_ROOFLINE]))
    return Comparison(
        job.source,
        job.input.shape,
        analyze(job.source).total.macs,
        loop,
        None if roofline is None else roofline.availability,
        OURS,
        tuple(replace(row, times=tuple(times.get(name, ()))) for name, row in rows.items()),
    )


def difference(output: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference from what torch computes, over the range of that.

    Raises
    ------
    UnavailableError
        If the shapes differ.
    """
    if output.shape != expected.shape:
        raise UnavailableError(f"its output has the shape {output.shape}, torch's {expected.shape}")
    return float(np.abs(output - expected).max() / np.ptp(expected))


def _loaded(job: Job, name: str, folder: Path) -> tuple[Call, float]:
    """Return the framework's function for a network, and its error."""
    with output_to(folder / "log.txt"):
        call = FRAMEWORKS[name].load(job, folder)
        return call, difference(np.asarray(call(job.input)), job.expected)
