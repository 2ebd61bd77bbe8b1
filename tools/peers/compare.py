"""Compare one network: convert, load, check and time it in every framework."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tvmlcnn.analysis import analyze
from tvmlcnn.quantization.fidelity import MOST_DECIBELS, decibels, energy
from tvmlcnn.targets import resolve

from .convert import convert, one_line, version
from .frameworks import FRAMEWORKS, OURS, OURS_IN_FLOAT32, Call
from .job import Job
from .measure import SETTLE, interleave
from .neighbours import neighbours
from .quiet import output_to
from .results import FEWEST_DECIBELS, WRONG, Comparison, Row
from .roofline import Roofline
from .unavailable import UnavailableError

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
            rows[name] = row = replace(row, version=version(name, job.dtype))
            if isinstance(place, UnavailableError):
                raise place
            call, outputs = _loaded(job, name, place)
            rows[name] = row = _checked(job, row, outputs)
            calls[name] = partial(call, job.input)
        except Exception as error:  # whatever the framework raises
            rows[name] = replace(row, reason=one_line(error))
    roofline = None
    try:
        processor = "native" if job.target == "native" else resolve(job.target).processor
        roofline = calls[_ROOFLINE] = Roofline(job.threads, work, job.dtype, processor or "native")
    except (RuntimeError, OSError) as error:
        progress(f"no roofline: {one_line(error)}")

    def failed(name: str, error: Exception) -> None:
        rows[name] = replace(rows[name], reason=one_line(error))

    progress(f"{job.name}: timing")
    with neighbours(busy):
        settle = SETTLE if job.threads > 1 else 0.0
        times = interleave(calls, seconds, rounds, settle, failed, _clock(job.threads, busy))
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
        job.dtype,
        OURS_IN_FLOAT32,
    )


def _clock(threads: int, busy: int) -> Callable[[], float]:
    """Return what times calls.

    With one thread it is the processor's time of this process, from which other programs on the
    machine take nothing but their share of the caches: between them a call that is longer than a
    turn of the scheduler is never run in one piece. What threads wait for each other is in no
    processor's time, nor what a program beside is let do.
    """
    return time.process_time if threads == 1 and not busy else time.perf_counter


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


def signal_to_noise(outputs: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Return the energy of what torch computes in float32 over that of the difference, in dB.

    Raises
    ------
    UnavailableError
        If the shapes differ.
    """
    pairs = list(zip(outputs, expected, strict=True))
    for output, wanted in pairs:
        difference(output, wanted)
    noise = [output.astype(np.float64) - wanted for output, wanted in pairs]
    if not all(np.isfinite(one).all() for one in noise):
        return -MOST_DECIBELS
    return decibels(sum(map(energy, expected)), sum(map(energy, noise)))


def _checked(job: Job, row: Row, outputs: Sequence[np.ndarray]) -> Row:
    """Return the row with its error, or raise what is wrong: a broken network is not timed."""
    if job.dtype == "float32":
        error = difference(outputs[0], job.expected[0])
        if not error <= WRONG:  # nor if it is not a number
            raise UnavailableError(f"its output is another: {error:.0e} of the range from torch's")
        return replace(row, error=error)
    ratio = signal_to_noise(outputs, job.expected)
    if ratio < FEWEST_DECIBELS:
        raise UnavailableError(f"its output is another: {ratio:.1f} dB of signal to noise")
    return replace(row, snr=ratio)


def _loaded(job: Job, name: str, folder: Path) -> tuple[Call, list[np.ndarray]]:
    """Return the framework's function for a network, and what it gives for the job's inputs."""
    with output_to(folder / "log.txt"):
        call = FRAMEWORKS[name].load(job, folder)
        return call, [np.array(call(each)) for each in job.inputs]
