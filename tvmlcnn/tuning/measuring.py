"""How long kernels take on a board, in turns with the untuned one, and whether they are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tvmlcnn.remote import Board, Session
from tvmlcnn.targets import BFLOAT16, Cpu

from .kernels import Kernel

# Of a board that does not say what it has.
_CACHES = (32 << 10, 1 << 20)
_ROUNDS = 4
_LEAST, _MOST = 2, 6  # calls of a kernel in a round
_SECONDS = 0.015  # that a round of a kernel takes, if that makes enough calls
_START = 30.0  # seconds for loading, and copying arguments
_SLOWER = 20  # times as slow as the untuned kernel may one be before its time is up


@dataclass(frozen=True)
class Outcome:
    """What was measured of a kernel.

    Attributes
    ----------
    microseconds : float or None
        The least time of a call; None where the result is wrong.
    default_microseconds : float
        That of the untuned kernel, measured in turns.
    error : float
        Of the result, over the range of the untuned kernel's.
    board : str
        What it was measured on.
    """

    microseconds: float | None
    default_microseconds: float
    error: float
    board: str

    @property
    def ratio(self) -> float | None:
        """The time over the untuned kernel's."""
        if self.microseconds is None:
            return None
        return self.microseconds / self.default_microseconds


def timeout(kernels: int, default_microseconds: float | None, thorough: int) -> float:
    """Return the seconds that measuring may take; many where nothing is known yet."""
    if default_microseconds is None:
        return 20 * _START
    calls = _ROUNDS * thorough * _calls(default_microseconds) + 2
    return _START + kernels * _SLOWER * calls * (default_microseconds + 1e3) / 1e6


def measure(
    board: Board,
    libraries: Sequence[Path],
    kernels: Sequence[Kernel],
    cpu: Cpu,
    footprint: int,
    seconds: float,
    thorough: int = 1,
) -> list[Outcome]:
    """Measure kernels of one task on a board, in turns.

    Parameters
    ----------
    board : Board
    libraries : sequence of Path
        With functions ``k0``, ``k1``, ..., dealt out in turns.
    kernels : sequence of Kernel
        What the functions are; the first one is the untuned kernel.
    cpu : Cpu
        With as many cores as a call is to use.
    footprint : int
        Bytes that a network passes through the caches between two calls; before each call so many
        do, or as many as the last cache holds.
    seconds : float
        Until the board ends the session.
    thorough : int
        How many times the usual number of calls is made.
    """
    caches = board.facts()["caches"] or _CACHES
    evict = min(footprint, caches[-1])
    with board.session(seconds) as session:
        session.threads(cpu.cores)
        loaded = [session.load(library) for library in libraries]
        functions = [(loaded[i % len(loaded)], f"k{i}") for i in range(len(kernels))]
        tensors = _Tensors(session)
        arguments = [[tensors.of(array) for array in kernel.arguments] for kernel in kernels]
        results = [
            _results(session, library[name], values, kernel)
            for (library, name), kernel, values in zip(functions, kernels, arguments, strict=True)
        ]
        errors = [error_of(result, results[0]) for result in results]
        room = [session.empty(shape, _held(dtype)) for shape, dtype in kernels[0].results]
        times: list[list[float]] = [[] for _ in kernels]
        repeat = _LEAST
        for number in range(1 + _ROUNDS * thorough):
            for index, (kernel, values) in enumerate(zip(kernels, arguments, strict=True)):
                if errors[index] <= kernel.element.tolerance:
                    times[index] += session.time(
                        *functions[index], [*values, *room], 1, repeat, 0, evict, kernel.inputs
                    )
            if number == 0:
                repeat = _calls(min(times[0]) * 1e6)
    best = [min(several) * 1e6 if several else None for several in times]
    assert best[0] is not None
    what = board.facts()["model"] or board.name
    return [Outcome(us, best[0], error, what) for us, error in zip(best, errors, strict=True)]


def _calls(microseconds: float) -> int:
    return min(_MOST, max(_LEAST, round(_SECONDS / microseconds * 1e6)))


def _results(
    session: Session, function: Any, values: Sequence[Any], kernel: Kernel
) -> list[np.ndarray]:
    """Return what a kernel computes; what it does not write is no number, or an absurd one."""
    room = [session.tensor(_unwritten(shape, _held(dtype))) for shape, dtype in kernel.results]
    function(*values, *room)
    arrays = [session.array(tensor) for tensor in room]
    return [array.view(dtype) for array, (_, dtype) in zip(arrays, kernel.results, strict=True)]


def _held(dtype: str) -> str:
    """Return what a kernel has a type as: bfloat16 as its bits."""
    return "uint16" if dtype == BFLOAT16.name else dtype


def _unwritten(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    array = np.empty(shape, dtype)
    if np.issubdtype(array.dtype, np.floating):
        array.fill(np.nan)
    else:
        array.view(np.uint8).fill(0x5A)
    return array


class _Tensors:
    """Tensors on the board; kernels of a task share those of equal arguments."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tensors: dict[int, Any] = {}

    def of(self, array: np.ndarray) -> Any:
        """Return the tensor with the content of an array."""
        key = hash((str(array.dtype), array.shape, array.tobytes()))
        if key not in self._tensors:
            self._tensors[key] = self._session.tensor(array.view(_held(str(array.dtype))))
        return self._tensors[key]


def error_of(result: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    """Return the largest difference over the range of the expected values.

    What is no number must be so in both, as a root of a random input may be; else the error is
    infinite.
    """
    worst = 0.0
    for array, right in zip(result, expected, strict=True):
        array, right = array.astype(np.float64), right.astype(np.float64)
        differs = ~((array == right) | (np.isnan(array) & np.isnan(right)))
        if differs.any():
            numbers = right[np.isfinite(right)]
            span = (np.ptp(numbers) or np.abs(numbers).max() if numbers.size else 0.0) or 1.0
            with np.errstate(invalid="ignore"):
                error = float(np.abs(array - right)[differs].max() / span)
            worst = max(worst, error if error == error else float("inf"))
    return worst
